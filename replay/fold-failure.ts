import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { raw, sql, type Statement } from "../src/core/sql.js";
import { type Cut, inCut } from "../src/log/cut.js";
import { missingRecord, outOfOrder, stateQuery } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { type FoldTable, valueSql } from "./fold-table.js";
import { makePlan } from "./plan.js";
import { stageOldVersions } from "./stage.js";

/** A fold that failed inside a statement: what is wrong with which record can be read once the transaction is over. */
export class FoldFailure extends Error {
  constructor(
    readonly failed: unknown,
    readonly table: FoldTable,
    readonly cut: Cut,
    /** SQL over an event `e`: which were folded. */
    readonly only: Statement | undefined,
  ) {
    super("a record cannot be folded", { cause: failed });
  }
}

/** The error of a statement that folds: FoldFailure for a record that cannot be folded, every other as it is. */
export function foldFailure(
  error: unknown,
  { cut, only }: Pick<FoldSource, "cut" | "only">,
  table: FoldTable,
): unknown {
  const state = stateOf(error) ?? "";
  const isOurs = ["CH020", "CH021", "CH022"].includes(state) || state.startsWith("22");
  return isOurs ? new FoldFailure(error, table, cut, only) : error;
}

/** Runs work that folds; of a record that cannot be folded it says which and why, in a typed error. */
export async function explainingFolds<T>(
  session: Session,
  dataSource: DataSource,
  tables: () => readonly FoldTable[] | Promise<readonly FoldTable[]>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FoldFailure)) throw error;
    throw await explanation(session, dataSource, error, await tables());
  }
}

async function explanation(
  session: Session,
  dataSource: DataSource,
  failure: FoldFailure,
  tables: readonly FoldTable[],
): Promise<EventLogError> {
  const { failed, table, cut, only } = failure;
  const { hint: key = "", message } = failed as { hint?: string; message: string };
  if (stateOf(failed) === "CH021") return unknownConversion(table, key, message);
  if (stateOf(failed) === "CH022") return withoutPlace(session, dataSource, failure, { key, column: message });
  const inOrder = stateOf(failed) !== "CH020";
  const explain = () =>
    session.snapshot(async () => {
      const plan = await makePlan(session, dataSource, cut, undefined);
      const staged = "chronicle_staged_explained";
      await stageOldVersions(session, dataSource, { plan, cut, tables, staged, step: () => undefined });
      const source = { schema: attachmentOf(dataSource).schema, cut, plan, staged: `pg_temp.${staged}`, only };
      if (!inOrder) return missingRecord(session, source, table, key);
      return (await uncastableValue(session, source, table)) ?? somethingUncastable(table, failed);
    });
  return explain().catch(() => (inOrder ? somethingUncastable(table, failed) : outOfOrder(table, key)));
}

/** The first record whose stored value is not a value of its column's type, with the event that it comes from. */
async function uncastableValue(
  session: Session,
  source: FoldSource,
  table: FoldTable,
): Promise<EventLogError | undefined> {
  if (table.isOfOthers === true) return undefined; // finding out casts the values
  const { schema, cut } = source;
  const readers = JSON.stringify(Object.fromEntries(table.columns.map((column) => [column.name, valueSql(column)])));
  const found = await session.row(sql`
    select f.record_key, c.name
    from (select * from (${stateQuery(source, table)}) f where f.alive offset 0) f
    cross join lateral (
      select ${raw(schema)}.uncastable_column(${table.sqlName}::regclass, f.state, ${readers}::jsonb) as name
    ) c
    where c.name is not null limit 1`);
  if (found === undefined) return undefined;
  const { record_key: key = "", name = "" } = found;
  const stored = await session.row(sql`
    select e.position, e.version
    from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
    cross join lateral (select e.data || coalesce(s.data, '{}') as data) d
    where e.table_name = any (${table.logNames}) and e.record_key = ${key} and ${inCut(cut)}
    and (${raw(table.today ?? "d.data")}) ? ${name}
    order by e.position desc limit 1`);
  const type = table.columns.find((column) => column.name === name)?.type ?? "";
  return notCastable(
    table,
    `The value of ${name} that ${table.entity} ${key} had at that point, stored at position ${stored?.position} ` +
      `by version ${stored?.version}, is not a value of its type today, ${type}.`,
    { recordKey: key, column: name, type, position: stored?.position, version: Number(stored?.version) },
  );
}

async function withoutPlace(
  session: Session,
  dataSource: DataSource,
  { table, cut }: FoldFailure,
  { key, column }: { key: string; column: string },
): Promise<EventLogError> {
  const { schema } = attachmentOf(dataSource);
  const stored = await session.row(sql`
    select e.position, e.version
    from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
    where e.table_name = any (${table.logNames}) and e.record_key = ${key} and ${inCut(cut)}
    and (e.data || coalesce(s.data, '{}')) ? ${column}
    order by e.position desc limit 1`);
  return new EventLogError(
    "COLUMN_WITHOUT_PLACE",
    `${table.entity} ${key} has a value of ${column}, stored at position ${stored?.position} ` +
      `by version ${stored?.version}, and ${table.tableName} does not have that column; ` +
      "it was not seen to be dropped either.",
    {
      details: {
        entity: table.entity,
        recordKey: key,
        column,
        position: stored?.position,
        version: Number(stored?.version),
      },
    },
  );
}

function unknownConversion(table: FoldTable, key: string, column: string): EventLogError {
  return notCastable(
    table,
    `A migration changed the type of ${column} of ${table.entity} by an expression, ` +
      `and what that would have made of the value that ${key} had at that point is not known.`,
    { recordKey: key, column },
  );
}

function somethingUncastable(table: FoldTable, failed: unknown): EventLogError {
  return notCastable(
    table,
    `A stored value of ${table.entity} is not a value of its column's type today ` +
      `(SQLSTATE ${stateOf(failed)}): ${(failed as Error).message}.`,
    { state: stateOf(failed) },
  );
}

function notCastable(table: FoldTable, message: string, details: Record<string, unknown>): EventLogError {
  return new EventLogError("VALUE_NOT_CASTABLE", message, { details: { entity: table.entity, ...details } });
}
