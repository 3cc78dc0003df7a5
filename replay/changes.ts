import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { checkOptions, section } from "../src/core/option-checker.js";
import { anything } from "../src/core/option-kinds.js";
import { asOwner } from "../src/core/rights.js";
import { type Session, withPooledSession } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { endOfLog, type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { readableRow } from "../src/log/event.js";
import type { RecordId } from "../src/log/record-id.js";
import type { EntityReference } from "../src/log/tracked-tables.js";
import { foldingRecords, recordFold } from "./at.js";
import { foldOnly } from "./fold.js";
import { foldFailure } from "./fold-failure.js";
import { invalidRows } from "./invalid-rows.js";

/** A column of one record that is not the same at two points in time. */
export interface Change {
  readonly column: string;
  /** undefined where the record did not exist. */
  readonly before: unknown;
  readonly after: unknown;
}

const changesOptions = section({ from: anything<PointInTime>(), to: anything<PointInTime>() });

/**
 * What changed on one record between two points in time, net, in today's shape. Sensitive columns are left out.
 * `from` defaults to before the record's first event, `to` to now.
 */
export async function changes(
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
  between: { from?: PointInTime | undefined; to?: PointInTime | undefined } = {},
): Promise<Change[]> {
  const { from, to } = checkOptions("changes", between, changesOptions);
  const work = withPooledSession(dataSource, async (session) => {
    const start = from === undefined ? undefined : await resolvePoint(session, dataSource, from);
    const asked = to === undefined ? undefined : await resolvePoint(session, dataSource, to);
    return foldingRecords(session, dataSource, async () => {
      const end = asked ?? (await endOfLog(session, dataSource));
      const before = start === undefined ? undefined : await imageAt(session, dataSource, entity, id, start, "from");
      const after = await imageAt(session, dataSource, entity, id, end, "to");
      const columns = Object.keys(after ?? before ?? {});
      return columns
        .map((column) => ({ column, before: before?.[column], after: after?.[column] }))
        .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
    });
  });
  return asOwner(dataSource, work);
}

async function imageAt(
  session: Session,
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
  cut: Cut,
  label: string,
): Promise<Record<string, unknown> | undefined> {
  const { schema } = attachmentOf(dataSource);
  const { query, table, plan, source } = await recordFold(session, dataSource, entity, [id], cut, label);
  const sqlOfImage =
    (
      await session.row(
        sql`select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
      )
    )?.sql ?? "";
  const fold = session.row(sql`
    select ${raw(schema)}.digits_as_text((${raw(sqlOfImage)}) - ${foldOnly}::text[], k.digit_columns) as image, to_jsonb(k.json_columns) as json_columns
    from (${query}) t join ${raw(schema)}.tracked k on k.table_name = ${table.tableName}`);
  const row = await fold.catch((error: unknown) => {
    throw invalidRows(foldFailure(error, source, table), { tables: [table], plan });
  });
  if (row?.image == null) return undefined;
  const image = readableRow(row.image, row.json_columns);
  return Object.fromEntries(
    table.columns.filter(({ name }) => table.plainColumns.includes(name)).map(({ name }) => [name, image[name]]),
  );
}
