import { stateOf } from "../src/core/database-errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import {
  commandOf,
  constraintsOf,
  countDuplicates,
  countNulls,
  isAboutRows,
  requiredColumns,
  setNotNull,
  undone,
} from "./constraints.js";
import { differs, sameKey, stays, type Target } from "./difference.js";
import type { FoldTable } from "./fold-table.js";
import type { Broken } from "./invalid-rows.js";

/** How live is made equal: rows that are equal already are written again only by a rebuild. */
export type Apply = "difference" | "rebuild";

/** Which columns that are NOT NULL have no value in wanted rows: one scan a table. */
export async function missingValues(
  session: Session,
  targets: readonly Pick<Target, "table" | "wanted">[],
  apply: Apply,
): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const { table, wanted } of targets) {
    const rows = { table, relation: wanted, columns: table.columns.map(({ name }) => name), apply };
    broken.push(...(await nullsIn(session, rows)));
  }
  return broken;
}

/**
 * What the constraints and indexes of the tables would refuse if live were made equal to the wanted rows, found without
 * writing to live: the same constraints are made on the wanted rows, together with the live rows that stay, and taken
 * back. Foreign keys are left out (`foreseeReferences`), and so are those that need a column that is not recorded, and
 * those of one partition alone.
 */
export async function brokenConstraints(session: Session, targets: readonly Target[], apply: Apply): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const target of targets) {
    const found = await undone(session, async () =>
      brokenIn(session, { ...(await rowsAfter(session, target)), apply }),
    );
    broken.push(...found);
  }
  return broken;
}

/** The rows that a table is to have. */
interface Rows {
  readonly table: FoldTable;
  readonly relation: string;
  /** The columns whose values are known. */
  readonly columns: readonly string[];
  readonly apply: Apply;
}

/**
 * The wanted rows; in a table like live where rows stay, where columns are generated, and where text is compared
 * otherwise than by default.
 */
async function rowsAfter(session: Session, target: Target): Promise<Omit<Rows, "apply">> {
  const { table, wanted, mayDelete } = target;
  const recorded = table.columns.map(({ name }) => name);
  const row = await session.row(sql`
    select to_jsonb(coalesce(array_agg(a.attname) filter (where a.attgenerated <> ''), '{}')) as generated,
      bool_or(a.attcollation <> t.typcollation) as collated
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    where a.attrelid = ${table.sqlName}::regclass
    and a.attnum > 0
    and not a.attisdropped`);
  // What is generated may depend on an excluded column.
  const generated = table.excludedColumns.length > 0 ? [] : (JSON.parse(row?.generated ?? "[]") as string[]);
  if (mayDelete === "true" && generated.length === 0 && row?.collated !== "t")
    return { table, relation: wanted, columns: recorded };
  const relation = "pg_temp.chronicle_rows";
  const list = (alias: string) => table.columns.map(({ quoted }) => `${alias}.${quoted}`).join(", ");
  await session.run(`create temporary table chronicle_rows (like ${table.sqlName} including generated)`);
  const required = await requiredColumns(session, relation);
  await setNotNull(
    session,
    relation,
    required.map(({ name }) => name),
    "drop",
  );
  await session.run(`
    insert into ${relation} (${table.columns.map(({ quoted }) => quoted).join(", ")})
    select ${list("f")} from ${wanted} f
    union all
    select ${list("l")} from ${table.sqlName} l where ${stays(target)}`);
  return { table, relation, columns: [...recorded, ...generated] };
}

async function brokenIn(session: Session, rows: Rows): Promise<Broken[]> {
  const { table, relation, columns } = rows;
  const of = { entity: table.entity, table: table.tableName };
  const broken = await nullsIn(session, rows);
  const bounds = await partitionBounds(session, table);
  const fits = async () => count(session, rows, { condition: `(${bounds}) is not true`, isValidated: true });
  if (bounds !== undefined) broken.push(...(await found(session, { ...of, kind: "partition" }, fits)));
  for (const constraint of await constraintsOf(session, table.sqlName)) {
    const { kind, name, condition, isValidated, computes } = constraint;
    if (!constraint.columns.every((column) => columns.includes(column))) continue;
    const what = { ...of, kind, constraint: name };
    if (kind === "check") {
      if (condition === null) continue;
      const breaking = { condition: `(${condition}) is false`, isValidated };
      broken.push(...(await found(session, what, () => count(session, rows, breaking))));
    } else if (kind !== "index" || computes) {
      const make = () => session.run(commandOf(constraint, relation)).then(() => 0);
      const isUnique = kind === "unique" || kind === "primary key";
      const duplicates = () => countDuplicates(session, relation, constraint);
      broken.push(...(await found(session, what, make, isUnique ? duplicates : undefined)));
    }
  }
  return broken;
}

/**
 * What a test finds broken: by the number of rows that it counts, or because rows make it fail. What cannot be tested
 * on other rows than live's, such as a function of a whole row, counts as not broken.
 */
async function found(
  session: Session,
  what: Broken,
  test: () => Promise<number>,
  countRows?: () => Promise<number>,
): Promise<Broken[]> {
  try {
    const rows = await undone(session, test);
    return rows === 0 ? [] : [{ ...what, rows }];
  } catch (error) {
    if (stateOf(error)?.startsWith("42")) return [];
    if (!isAboutRows(error)) throw error;
    const rows = countRows && (await undone(session, countRows).catch(() => 0));
    return [rows ? { ...what, rows } : what];
  }
}

/** NOT NULL columns without a value. */
async function nullsIn(session: Session, rows: Rows): Promise<Broken[]> {
  const { table, relation, columns } = rows;
  const required = (await requiredColumns(session, table.sqlName)).filter(({ name }) => columns.includes(name));
  const nulls = await countNulls(
    session,
    relation,
    required.map(({ name }) => name),
  );
  const broken: Broken[] = [];
  for (const [index, { name, isValidated }] of required.entries()) {
    let missing = nulls[index] ?? 0;
    if (missing > 0 && !isValidated)
      missing = await count(session, rows, { condition: `${quoteIdentifier(name)} is null`, isValidated });
    if (missing > 0)
      broken.push({ entity: table.entity, table: table.tableName, kind: "not null", column: name, rows: missing });
  }
  return broken;
}

/**
 * How many rows a condition holds for; of a constraint that live's rows may break, only those that would be written.
 */
async function count(
  session: Session,
  { table, relation, apply }: Rows,
  { condition, isValidated }: { readonly condition: string; readonly isValidated: boolean },
): Promise<number> {
  const all = numberOf(
    await session.row(sql`select count(*) as rows from ${raw(relation)} where ${raw(condition)}`),
    "rows",
  );
  if (all === 0 || isValidated || apply === "rebuild") return all;
  const isEqual = `${sameKey(table, "l", "f")} and not ${differs(table, "l", "f")}`;
  const written = await session.row(sql`
    select count(*) as rows
    from (select * from ${raw(relation)} where ${raw(condition)}) f
    where not exists (select from ${raw(table.sqlName)} l where ${raw(isEqual)})`);
  return numberOf(written, "rows");
}

/** SQL over a row of a partitioned table: whether there is a partition for it; undefined for other tables. */
async function partitionBounds(session: Session, { sqlName }: FoldTable): Promise<string | undefined> {
  const row = await session.row(sql`
    select c.relkind = 'p' as partitioned, (
      select string_agg(format('(%s)', coalesce(pg_get_partition_constraintdef(t.relid), 'true')), ' or ')
      from pg_partition_tree(c.oid) t
      where t.isleaf
    ) as bounds
    from pg_class c
    where c.oid = ${sqlName}::regclass`);
  return row?.partitioned === "t" ? (row.bounds ?? "false") : undefined;
}
