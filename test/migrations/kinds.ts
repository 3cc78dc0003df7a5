import type { Kind } from "./kind.js";
import { addedColumns } from "./kinds/added.js";
import { dropped } from "./kinds/dropped.js";
import { enums } from "./kinds/enums.js";
import { generated } from "./kinds/generated.js";
import { keys } from "./kinds/keys.js";
import { marks } from "./kinds/marks.js";
import { nullability } from "./kinds/nullability.js";
import { partitions } from "./kinds/partitions.js";
import { renamed } from "./kinds/renamed.js";
import { tables } from "./kinds/tables.js";
import { byExpression, cast } from "./kinds/types.js";

/** Every kind of DDL that has a test, by theme. The options of the log itself have theirs in options.test.ts. */
export const kinds: Readonly<Record<string, readonly Kind[]>> = {
  "columns that are renamed": renamed,
  "columns that are added": addedColumns,
  "columns that are dropped": dropped,
  "nulls and defaults": nullability,
  "generated columns": generated,
  "types, by PostgreSQL's own cast": cast,
  "types and values, by an expression": byExpression,
  "enum labels": enums,
  "primary keys": keys,
  tables,
  partitions,
  "columns that capture knows something about": marks,
};
