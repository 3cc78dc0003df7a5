import { seesCatalogOfNow } from "./columns-hash.sql.js";
import {
  effectsOfImages,
  effectsOfMoves,
  type EventSource,
  insertEvents,
  insertPlainEvents,
  type Places,
} from "./insert-events.js";

const source: Omit<EventSource, "effects" | "hidden" | "shape"> = {
  tableName: "%2$L",
  entity: "%3$s",
  recordId: "jsonb_build_object(%4$s)",
  recordKey: "%5$s",
  versions: "%6$s",
  deleteDateColumn: "%7$L",
  tenantColumn: "%8$L",
  plainColumns: "%9$L::text[]",
  context: "%10$s",
  origin: "%13$s",
  dataLimit: "%12$s",
};

const images = { changes: "%1$s", sameRecord: "%2$s", plainColumns: "%3$L::text[]", actions: "%4$L::text[]" };
const placesOf = (s: string): Places => ({ keyOf: (image) => `${s}.record_key(${image}, %5$L)`, live: "%6$s" });

/**
 * The statement that writes the events of one statement on one table, from its transition tables, or of the records
 * that subscriber capture noted (FLUSH, FLUSH INSERT: flushStatement); `context` is spliced in. Where the table's
 * columns are `known` to be those of the last install, it names them, which is fast. Otherwise it is made for the
 * columns that `relation` has now: those that came later are kept apart. `shape` is spliced in too: under which they
 * are written.
 */
export const captureStatement = (s: string): string => `-- version: 12
drop function if exists ${s}.capture_statement(smallint, text, text, boolean, regclass);
create or replace function ${s}.capture_statement(
  tracked_id smallint, operation text, context text, known boolean default false, relation regclass default null,
  shape text default 'null'
) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t ${s}.tracked;
  image text;
  child text;
  single text;
  hidden text[];
  live text;
begin
  select * into t from ${s}.tracked where id = tracked_id;
  -- Of a row that is written, capture gets the values; TRUNCATE makes it read the table.
  if operation = 'TRUNCATE' and not ${s}.is_readable(relation) then
    raise exception 'TRUNCATE on % cannot be captured: its owner is another role, whose code runs when it is read',
      relation using errcode = 'CH010', hint = 'DELETE is captured.';
  end if;
  -- A partitioned table has no rows of its own: each partition's trigger records that one's.
  if operation = 'TRUNCATE' and (select c.relkind <> 'p' from pg_class c where c.oid = relation) then
    perform ${s}.refuse_hidden_rows(relation, operation);
  end if;
  if relation is not null then
    t := ${s}.as_it_is(t, relation);
  end if;
  image := ${s}.image_sql(coalesce(relation, t.table_oid), t.excluded_columns, altered => relation is not null);
  -- Of the key alone: what else the image holds may not be read back under the session's settings. Not of a table that
  -- was altered, if the transaction sees an older catalog: its keys may have other types by now.
  if relation is null or ${seesCatalogOfNow} then
    select ${s}.live_rows(t, format('(jsonb_populate_record(null::%s, jsonb_build_object(%s))).%%I',
      replace(t.table_oid::regclass::text, '%', '%%'), replace(string_agg(format('%1$L, p.id -> %1$L', k.name), ', '), '%', '%%')))
    into live from unnest(t.key_columns) as k (name);
  end if;
  child := format('%L::jsonb -> (image ->> %L)', t.discriminator_entities, t.discriminator_column);
  single := case when cardinality(t.key_columns) = 1 then quote_literal(t.key_columns[1]) end;
  hidden := array(select c.name from ${s}.columns(t.table_oid) c where c.name <> all (t.plain_columns || t.excluded_columns));
  return format(case
      when not known then $any$${insertEvents(s, { ...source, effects: "%1$s", hidden: "hidden", shape: "%14$s" })}$any$
      when hidden = '{}' then $plain$${insertPlainEvents(s, { ...source, effects: "%1$s", hidden: "null" })}$plain$
      else $split$${insertEvents(s, { ...source, effects: "%1$s", hidden: "%11$L::text[]" })}$split$ end,
    case
      when known and operation = 'UPDATE' then ${s}.update_effects(t)
      when known and operation = 'UPDATE ONE' then ${s}.single_update_effect(t)
      when known and operation = 'INSERT' then format('select ''create'' as action, image, image as data, ''{}''::jsonb as previous from (select %s as image from new_rows t offset 0) t where ''create'' = any (%L)', image, t.actions)
      when known and operation = 'DELETE' then ${s}.delete_effects(t)
      when known and operation = 'FLUSH INSERT' then format('select ''create'' as action, image, image as data, ''{}''::jsonb as previous from (%s) t where ''create'' = any (%L)', ${s}.flush_inserts(t), t.actions)
      else format(case
          when live is null or operation not in ('UPDATE', 'REKEY', 'DELETE', 'ROW') then $effects$${effectsOfImages(images)}$effects$
          else $effects$${effectsOfMoves(images, placesOf(s))}$effects$
        end,
        case operation
          when 'FLUSH' then ${s}.flush_changes(t)
          when 'ROW' then format('select 1 as ordinal, %s as old, %s as new',
            case when relation is null then 'old_image' else '$3' end,
            case when relation is null then 'new_image' else '$4' end)
          when 'INSERT' then format('select row_number() over () as ordinal, null::jsonb as old, %s as new from new_rows t', image)
          when 'DELETE' then format('select row_number() over () as ordinal, %s as old, null::jsonb as new from old_rows t', image)
          when 'TRUNCATE' then format('select row_number() over () as ordinal, %s as old, null::jsonb as new from only %s t', image, relation)
          else format('select ordinal, o.image as old, n.image as new
            from (select row_number() over () as ordinal, %1$s as image from old_rows t) o
            full join (select row_number() over () as ordinal, %1$s as image from new_rows t) n using (ordinal)', image)
        end,
        case when operation = 'FLUSH' then 'c.old is not null and c.new is not null'
          else (select string_agg(format('c.old ->> %1$L = c.new ->> %1$L', name), ' and ') from unnest(t.key_columns) as k (name)) end,
        t.plain_columns,
        t.actions,
        t.key_columns,
        format('select %s as image, %s as is_recorded from %s limit 1',
          ${s}.image_sql(t.table_oid, t.excluded_columns, altered => relation is not null),
          ${s}.is_recorded(t, 'p.key', 't.cmin'), live))
    end,
    t.table_name,
    case when t.discriminator_column is null then quote_literal(t.entity) else format('coalesce(%s ->> ''entity'', %L)', child, t.entity) end,
    (select string_agg(format('%1$L, image -> %1$L', name), ', ') from unnest(t.key_columns) as k (name)),
    case when single is null or relation is not null then format('${s}.record_key(image, %L)', t.key_columns)
         else format('case
             when length(image ->> %1$s) > 500 then ${s}.record_key(image, %2$L)
             else coalesce(image ->> %1$s, '''')
           end', single, t.key_columns) end,
    case when t.discriminator_column is null then format('%L::jsonb', t.versions) else format('coalesce(%s -> ''versions'', %L::jsonb)', child, t.versions) end,
    t.delete_date_column,
    t.tenant_column,
    t.plain_columns,
    context,
    hidden,
    (select data_limit from ${s}.installation),
    case
      when operation = 'FLUSH'
        then 'case when action = ''create'' and $2 <> ''insert'' then ''baseline'' else ''capture'' end'
      else '''capture'''
    end,
    shape);
end $$;
`;
