import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { afterCut, type Cut } from "./cut.js";
import { keptFrom } from "./partitions.js";
import type { TrackedTable } from "./tracked-tables.js";

/**
 * What was there before a baseline the log does not know: rows of these tables, where they had rows before they were
 * tracked, or of these records alone.
 * Throws POINT_IN_TIME_UNKNOWN where a baseline came after the point in time, with the position of the last; and for
 * every table where the events up to the point were dropped with their partition.
 */
export async function refuseBeforeBaseline(
  session: Session,
  dataSource: DataSource,
  cut: Cut,
  tables: readonly Pick<TrackedTable, "tableName">[],
  keys?: readonly string[],
): Promise<void> {
  const { schema } = attachmentOf(dataSource);
  const kept = await keptFrom(session, schema);
  if (kept !== undefined && cut.position < kept - 1n) throw wasDropped(kept);
  const ofRecords = keys === undefined ? sql`` : sql`and e.record_key = any (${keys})`;
  const row = await session.row(sql`
    select e.entity, max(e.position) as position
    from unnest(${tables.map(({ tableName }) => tableName)}::text[]) t (name)
    join ${raw(schema)}.event e on e.table_name = any (${raw(schema)}.table_names(t.name))
    ${keys === undefined ? sql`join ${raw(schema)}.tracked k on k.table_name = t.name and k.had_rows` : sql``}
    where e.origin = 'baseline' and ${afterCut(cut)} ${ofRecords}
    group by e.entity order by 2 desc limit 1`);
  if (row === undefined) return;
  throw new EventLogError(
    "POINT_IN_TIME_UNKNOWN",
    `The point is before the baseline of ${row.entity}: the log does not know all of it before position ${row.position}.`,
    {
      hint: `Ask for position ${row.position}n or later.`,
      details: { entity: row.entity, position: BigInt(row.position ?? 0) },
    },
  );
}

/** The baseline that stands for what was dropped ends right before the first position that was kept. */
export function wasDropped(kept: bigint): EventLogError {
  return new EventLogError("POINT_IN_TIME_UNKNOWN", "The point lies in what retain() has dropped from the log.", {
    hint: `Ask for position ${kept - 1n}n or later.`,
    details: { position: kept - 1n },
  });
}
