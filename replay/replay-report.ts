import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import { type Cut, inCut } from "../src/log/cut.js";
import { effectivePosition } from "../src/log/point-in-time.js";
import type { AppliedRows } from "./apply.js";
import { countDifference, type DifferenceCounts } from "./difference.js";
import type { FoldTable } from "./fold-table.js";
import type { Plan, PlannedKind } from "./plan.js";
import type { Scope } from "./scope.js";
import { countSkipped, type Folded } from "./temporary-folds.js";

export interface ReplayReport {
  /** Where the point in time came down to: the last position that is in it. */
  readonly effectivePosition: bigint;
  /** Events in range. */
  readonly events: number;
  readonly upcast: number;
  readonly overridden: number;
  /** Events of records whose create an override had taken over. */
  readonly skipped: number;
  /** Rows written, or that would be by a dry run; kept: those that stayed as they were. */
  readonly rows: AppliedRows & { readonly kept: number };
  /** Events recorded for a replay to the past. */
  readonly recorded: number;
  /** Rows in which live was not what the log said, before the replay. */
  readonly drift: number;
  /** Entities that are recorded and never replayed. */
  readonly auditOnly: readonly string[];
  /** How each stored kind of event is replayed. */
  readonly plan: readonly PlannedKind[];
  readonly durationMs: number;
}

/** How a table's live rows differ from a fold. */
export type TableDifference = DifferenceCounts & { readonly table: FoldTable };

/** How live differs from a fold, table by table. */
export async function compare(session: Session, scope: Scope, fold: Folded): Promise<TableDifference[]> {
  const found: TableDifference[] = [];
  for (const table of scope.tables)
    found.push({ table, ...(await countDifference(session, table, scope.live(table), fold.of(table))) });
  return found;
}

/** Throws REPLAY_UNKNOWN_ROWS where live has rows that the log's end does not have. */
export function refuseUnknownRows(found: readonly TableDifference[]): void {
  const unknown = found
    .filter(({ unexpected }) => unexpected > 0)
    .map(({ table, unexpected }) => ({ entity: table.entity, rows: unexpected }));
  if (unknown.length === 0) return;
  const list = unknown.map(({ entity, rows }) => `${rows} ${rows === 1 ? "row" : "rows"} of ${entity}`).join(", ");
  throw new EventLogError("REPLAY_UNKNOWN_ROWS", `The log does not know ${list}.`, { details: { unknown } });
}

interface Outcome {
  readonly scope: Scope;
  readonly cut: Cut;
  readonly plan: Plan;
  /** What live was made, or would be. */
  readonly fold: Folded;
  /** Rows written; undefined for a dry run. */
  readonly rows: AppliedRows | undefined;
  /** How live differed from the log's end. */
  readonly found: readonly TableDifference[];
  /** How it differed from what it was to be; of use to a dry run alone. */
  readonly planned: readonly TableDifference[];
  readonly recorded: number;
  readonly keepsUnknown: boolean;
  readonly rebuilds: boolean;
  readonly started: number;
}

export async function reportOf(session: Session, dataSource: DataSource, outcome: Outcome): Promise<ReplayReport> {
  const { schema } = attachmentOf(dataSource);
  const { scope, cut, plan, fold, found, planned, recorded, keepsUnknown, started } = outcome;
  const sum = (counts: readonly TableDifference[], of: (table: TableDifference) => number) =>
    counts.reduce((total, table) => total + of(table), 0);
  const unknown = keepsUnknown ? sum(found, ({ unexpected }) => unexpected) : 0;
  const wanted = await countRows(session, scope, fold);
  const rows = outcome.rows ?? plannedRows();
  return {
    effectivePosition: await effectivePosition(session, schema, cut),
    events: await countEvents(session, schema, scope, cut),
    upcast: fold.staged.upcast,
    overridden: fold.staged.overridden,
    skipped: await countSkipped(session, fold),
    rows: { ...rows, kept: wanted - rows.inserted - rows.updated },
    recorded,
    drift:
      sum(found, ({ missing, different }) => missing + different) +
      sum(found, ({ unexpected }) => unexpected) -
      unknown,
    auditOnly: [...new Set(plan.kinds.filter(({ handler }) => handler === "audit only").map(({ entity }) => entity))],
    plan: plan.kinds,
    durationMs: Math.round(performance.now() - started),
  };

  function plannedRows(): AppliedRows {
    const [inserted, updated, deleted] = [
      sum(planned, ({ missing }) => missing),
      sum(planned, ({ different }) => different),
      sum(planned, ({ unexpected }) => unexpected) - unknown,
    ];
    if (!outcome.rebuilds) return { inserted, updated, deleted };
    return { inserted: wanted, updated: 0, deleted: wanted - inserted + deleted };
  }
}

async function countRows(session: Session, scope: Scope, fold: Folded): Promise<number> {
  let count = 0;
  for (const table of scope.tables)
    count += numberOf(await session.row(sql`select count(*) as rows from ${raw(fold.of(table))}`), "rows");
  return count;
}

async function countEvents(session: Session, schema: string, scope: Scope, cut: Cut): Promise<number> {
  const { tables, tenant } = scope;
  const names = tables.map(({ tableName }) => tableName);
  const within = scope.isWhole
    ? sql``
    : sql`and table_name in (select unnest(${raw(schema)}.table_names(name)) from unnest(${names}::text[]) as n (name))`;
  const row = await session.row(sql`
    select count(*) as events from ${raw(schema)}.event e
    where ${inCut(cut)}
    ${within} ${tenant === undefined ? sql`` : sql`and tenant = ${tenant}`}`);
  return numberOf(row, "events");
}
