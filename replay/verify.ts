import type { DataSource } from "typeorm";
import { checkOptions, type OptionsOf, section } from "../src/core/option-checker.js";
import { abortSignal, aFunction } from "../src/core/option-kinds.js";
import { asOwner } from "../src/core/rights.js";
import { numberOf, type Session, withOwnSession } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql } from "../src/core/sql.js";
import { attachmentOf } from "../src/core/attachment.js";
import { snapshotOfLog } from "../src/log/partitions.js";
import { effectivePosition, endOfLog } from "../src/log/point-in-time.js";
import { refuseHiddenRows } from "../src/log/hidden-rows.js";
import { refuseTablesOfOthers } from "../src/log/ownership.js";
import { asRecorded, liveRows } from "./as-recorded.js";
import { differingColumns, differs, sameKey } from "./difference.js";
import { aliveOrRefused, foldQuery, recordKey } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { explainingFolds, foldFailure } from "./fold-failure.js";
import { type FoldTable, foldTables } from "./fold-table.js";
import { invalidRows } from "./invalid-rows.js";
import { makePlan } from "./plan.js";
import { Steps } from "./progress.js";
import { stageOldVersions } from "./stage.js";

/** A row in which live is not what the log says. */
export interface Difference {
  readonly entity: string;
  readonly recordId: Record<string, unknown>;
  /**
   * missing: the log has it, live does not; unexpected: live has it, the log does not; different: both, not equal;
   * erased: both, and they differ only in columns that were erased, where live has a value again.
   */
  readonly kind: "missing" | "unexpected" | "different" | "erased";
  /** The columns that differ; empty where one side has no row. */
  readonly columns: readonly string[];
}

export interface VerifyOptions {
  /** Gets every difference; the report holds the first 100. */
  readonly onDifference?: ((difference: Difference) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const verifyOptions = section({
  onDifference: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<VerifyOptions>);

export interface VerifyReport {
  readonly equal: boolean;
  /** Live rows compared. */
  readonly checked: number;
  readonly effectivePosition: bigint;
  readonly counts: {
    readonly missing: number;
    readonly unexpected: number;
    readonly different: number;
    readonly erased: number;
  };
  readonly differences: readonly Difference[];
}

const reported = 100;
const page = 1_000;

/**
 * Compares the live tables with what the log says, in one snapshot, while writers run; changes nothing. Excluded and
 * generated columns are left out. Finds what no capture could see: writes with triggers disabled, restored dumps, other
 * tools.
 */
export async function verify(dataSource: DataSource, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { onDifference, signal } = checkOptions("verify", options, verifyOptions);
  const { schema } = attachmentOf(dataSource);
  const steps = new Steps(undefined, signal, "verification");
  const work = withOwnSession(dataSource, async (session) => {
    const every = await foldTables(session, dataSource, { allowOthers: true });
    await refuseTablesOfOthers(session, schema, every, "unreadable");
    await refuseHiddenRows(session, every);
    const tables = await asRecorded(session, schema, every);
    return explainingFolds(
      session,
      dataSource,
      () => tables,
      () =>
        snapshotOfLog(session, schema, async () => {
          await session.run("set local work_mem = '128MB'; set local jit = off");
          const cut = await endOfLog(session, dataSource);
          const plan = await makePlan(session, dataSource, cut);
          const staged = "chronicle_staged_verify";
          await stageOldVersions(session, dataSource, { plan, cut, tables, staged, step: () => steps.stopIfAborted() });
          const source: FoldSource = { schema, cut, plan, staged: `pg_temp.${staged}` };
          const counts = { missing: 0, unexpected: 0, different: 0, erased: 0 };
          const differences: Difference[] = [];
          let checked = 0;
          for (const table of tables) {
            checked += numberOf(await session.row(sql`select count(*) as rows from ${raw(table.sqlName)}`), "rows");
            for await (const difference of differencesOf(session, source, table)) {
              counts[difference.kind]++;
              if (differences.length < reported) differences.push(difference);
              onDifference?.(difference);
            }
            steps.next(`verify ${table.entity}`);
          }
          const equal = counts.missing + counts.unexpected + counts.different === 0;
          const last = await effectivePosition(session, schema, cut);
          await session.run("discard temp"); // the connection may be a pooler's, which gives it to others
          return { equal, checked, effectivePosition: last, counts, differences };
        }),
    );
  });
  return asOwner(dataSource, work);
}

/**
 * Reads fold and live side by side, without a table in between: a transaction that writes nothing, not even temporary
 * tables, has no id and so holds back no tail.
 */
async function* differencesOf(session: Session, source: FoldSource, table: FoldTable): AsyncGenerator<Difference> {
  const key = raw(quoteIdentifier(table.keyColumns[0] ?? ""));
  const columns = table.columns.map(({ quoted }) => quoted).join(", ");
  const id = table.keyColumns
    .map(
      (name) =>
        `${quoteLiteral(name)}, coalesce(l.${quoteIdentifier(name)}, f.${quoteIdentifier(name)})${keyCast(table, name)}`,
    )
    .join(", ");
  await session.rows(sql`
    declare chronicle_differences no scroll cursor for
    select jsonb_build_object(${raw(id)}) as record_id,
      case when l.${key} is null then 'missing' when f.${key} is null then 'unexpected'
        when (
          select exists (
            select from ${raw(source.schema)}.event
            where origin = 'erase' and table_name = any (${raw(source.schema)}.table_names(${table.tableName}))))
          and d.columns <@ ${raw(source.schema)}.erased_columns(${table.tableName}, f.${raw(recordKey)}) then 'erased' else 'different' end as kind,
      to_jsonb(d.columns) as columns
    from ${raw(liveRows(table))} l
    full join (select ${raw(recordKey)}, ${raw(columns)} from (${foldQuery(source, table)}) f where ${raw(aliveOrRefused(source.schema))}) f
      on ${raw(sameKey(table, "l", "f"))}
    cross join lateral (select case when l.${key} is null or f.${key} is null then '{}' else ${raw(differingColumns(table, "l", "f"))} end as columns) d
    where l.${key} is null or f.${key} is null or ${raw(differs(table, "l", "f"))}`);
  for (;;) {
    const rows = await session
      .rows(sql`fetch ${raw(String(page))} from chronicle_differences`)
      .catch((error: unknown) => {
        throw invalidRows(foldFailure(error, source, table), { tables: [table], plan: source.plan });
      });
    for (const row of rows) {
      yield {
        entity: table.entity,
        recordId: JSON.parse(row.record_id ?? "{}") as Record<string, unknown>,
        kind: row.kind as Difference["kind"],
        columns: JSON.parse(row.columns ?? "[]") as string[],
      };
    }
    if (rows.length < page) break;
  }
  await session.run("close chronicle_differences");
}

/** Digits that JavaScript would round go as text, as everywhere in the log's reading. */
function keyCast({ columns }: FoldTable, name: string): string {
  const type = columns.find((column) => column.name === name)?.type ?? "";
  return type === "bigint" || type.startsWith("numeric") ? "::text" : "";
}
