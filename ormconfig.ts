import "reflect-metadata";
import { releaseTwo } from "./examples/countries/data-sources.js";

/** The demo's DataSource on DATABASE_URL, for TypeORM's command line, tests and benchmarks. */
export const dataSource = releaseTwo(process.env.DATABASE_URL);
