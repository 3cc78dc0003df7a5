import "reflect-metadata";
import { config } from "chai";

// Differences of whole rows are of use only in full.
config.truncateThreshold = 0;
