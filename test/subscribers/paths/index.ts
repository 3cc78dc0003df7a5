import { keysAndColumns } from "./columns.js";
import { criteria } from "./criteria.js";
import { databaseCode } from "./database-code.js";
import { queryBuilders, relationQueryBuilder } from "./query-builders.js";
import { relationsBySave, remove } from "./relations.js";
import { save } from "./save.js";
import { sqlPaths } from "./sql.js";
import { inheritance, trees } from "./structures.js";
import { transactions } from "./transactions.js";
import type { WritePaths } from "./write-path.js";

/** Every way to write, by group: run under each way of capture. */
export const groups: Readonly<Record<string, WritePaths>> = {
  save,
  "relations by save": relationsBySave,
  remove,
  "repository by criteria": criteria,
  "query builders": queryBuilders,
  "relation query builder": relationQueryBuilder,
  trees,
  inheritance,
  "keys and columns": keysAndColumns,
  SQL: sqlPaths,
  "database code": databaseCode,
  transactions,
};
