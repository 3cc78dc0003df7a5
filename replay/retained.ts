import { effectsOfImages, insertEvents, ofTracked } from "../entities/functions/insert-events.js";
import { EventLogError } from "../src/core/errors.js";
import { sendableContext } from "../src/core/request-context.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteLiteral, raw, sql } from "../src/core/sql.js";
import { namesOf, type TrackedTable } from "../src/log/tracked-tables.js";
import type { FoldTable } from "./fold-table.js";
import { generatedColumns, imageSql } from "./rewind.js";

/**
 * Writes a create event for every record of a fold, with origin "retained", into a table that is to become a part of
 * the log. Their positions lie where the table had another shape, perhaps, so each carries the one that it is written
 * under.
 */
export async function baselineOf(
  session: Session,
  schema: string,
  table: FoldTable,
  fold: string,
  into: { readonly event: string; readonly positions: string },
): Promise<number> {
  const image = await imageSql(session, schema, table);
  const rows = `(select g.*${await generatedColumns(session, table)} from ${fold} g)`;
  const effects = effectsOfImages({
    changes: `select row_number() over () as ordinal, null::jsonb as old, i.image as new, k.table_name, k.entity, k.key_columns, k.versions, k.delete_date_column, k.tenant_column, k.plain_columns, k.discriminator_entities -> (i.image ->> k.discriminator_column) as child
      from (select ${image} as image from ${rows} t) i join ${schema}.tracked k on k.table_name = ${quoteLiteral(table.tableName)}`,
    sameRecord: "false",
    plainColumns: "plain_columns",
    actions: "array['create']",
  });
  const shape = await ownShape(session, schema, table);
  const context = sendableContext()?.json.text;
  const written = insertEvents(
    schema,
    {
      effects,
      ...ofTracked(schema),
      context: context === undefined ? "null::jsonb" : `(${quoteLiteral(context)}::jsonb)`,
      origin: "'retained'",
      shape,
    },
    into,
  );
  await session.run(written);
  return numberOf(await session.row(sql`select count(*) as rows from ${raw(fold)}`), "rows");
}

/** Describes today's columns, with their ids, under a number that no table's shape has; returns that. */
async function ownShape(session: Session, schema: string, { tableName }: FoldTable): Promise<string> {
  const row = await session.row(sql`
    insert into ${raw(schema)}.table_shape (tracked_id, hash, columns)
    select t.id, hashtextextended('retained ' || nextval(${`${schema}.event_position_seq`}::regclass), t.hash),
      t.columns
    from ${raw(schema)}.tracked t where t.table_name = ${tableName}
    returning hash`);
  return row?.hash ?? "null";
}

/**
 * The fold has the shape that this code knows, the database labels events with the version that it was told last: they
 * must be the same. Throws INSTALL_STALE.
 */
export async function refuseOtherVersions(
  session: Session,
  schema: string,
  tables: readonly TrackedTable[],
): Promise<void> {
  const expected = tables.flatMap((table) =>
    namesOf(table).map(({ entity, versions }) => ({ table: table.tableName, entity, versions })),
  );
  const row = await session.row(sql`
    select x.entity
    from jsonb_to_recordset(${JSON.stringify(expected)}::jsonb) as x ("table" text, entity text, versions jsonb)
    left join ${raw(schema)}.tracked t on t.table_name = x.table
    left join lateral jsonb_each(t.discriminator_entities) c on c.value ->> 'entity' = x.entity
    where (coalesce(c.value, to_jsonb(t)) #>> '{versions,create}') is distinct from x.versions ->> 'create' limit 1`);
  if (row === undefined) return;
  throw new EventLogError("INSTALL_STALE", `${row.entity} has another version in the database than in this code.`, {
    hint: "Run it with the code that install() was run with last.",
  });
}
