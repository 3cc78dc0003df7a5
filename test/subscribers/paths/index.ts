import { criteria } from "./criteria.js";
import { databaseCode } from "./database-code.js";
import { relationsBySave, remove } from "./relations.js";
import { save } from "./save.js";
import type { WritePaths } from "./write-path.js";

/** Every way to write, by group: run under each way of capture. */
export const groups: Readonly<Record<string, WritePaths>> = {
  save,
  "relations by save": relationsBySave,
  remove,
  "repository by criteria": criteria,
  "database code": databaseCode,
};
