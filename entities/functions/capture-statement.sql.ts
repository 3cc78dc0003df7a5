import { insertEvents } from "./insert-events.js";

/**
 * The statement that writes the events of one statement on one table, from its transition tables; `context` is spliced in.
 * Old and new rows are paired by a full join, which has no nested loop: a plan that was cached for one row stays linear for many.
 * Made from the columns as they are now, so that a capture function whose columns went away can make it anew.
 */
export const captureStatement = (s: string): string => `-- version: 1
create or replace function ${s}.capture_statement(tracked_id smallint, operation text, context text, relation regclass default null) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t ${s}.tracked;
  image text;
  child text;
  single text;
begin
  select * into t from ${s}.tracked where id = tracked_id;
  image := ${s}.image_sql(t.table_oid, t.excluded_columns);
  child := format('%L::jsonb -> (image ->> %L)', t.discriminator_entities, t.discriminator_column);
  single := case when cardinality(t.key_columns) = 1 then quote_literal(t.key_columns[1]) end;
  return format($statement$${insertEvents(s, {
    changes: "%1$s",
    tableName: "%2$L",
    entity: "%3$s",
    recordId: "jsonb_build_object(%4$s)",
    recordKey: "%5$s",
    sameRecord: "%6$s",
    versions: "%7$s",
    deleteDateColumn: "%8$L",
    tenantColumn: "%9$L",
    plainColumns: "%10$L::text[]",
    actions: "%11$L::text[]",
    context: "%12$s",
    actionName: "null",
  })}$statement$,
    case operation
      when 'ROW' then 'select 1 as ordinal, old_image as old, new_image as new'
      when 'INSERT' then format('select row_number() over () as ordinal, null::jsonb as old, %s as new from new_rows t', image)
      when 'DELETE' then format('select row_number() over () as ordinal, %s as old, null::jsonb as new from old_rows t', image)
      when 'TRUNCATE' then format('select row_number() over () as ordinal, %s as old, null::jsonb as new from only %s t', image, relation)
      else format('select ordinal, o.image as old, n.image as new
        from (select row_number() over () as ordinal, %1$s as image from old_rows t) o
        full join (select row_number() over () as ordinal, %1$s as image from new_rows t) n using (ordinal)', image)
    end,
    t.table_name,
    case when t.discriminator_column is null then quote_literal(t.entity) else format('coalesce(%s ->> ''entity'', %L)', child, t.entity) end,
    (select string_agg(format('%1$L, image -> %1$L', name), ', ') from unnest(t.key_columns) as k (name)),
    case when single is null then format('${s}.record_key(image, %L)', t.key_columns)
         else format('case when length(image ->> %1$s) > 500 then ${s}.record_key(image, %2$L) else image ->> %1$s end', single, t.key_columns) end,
    (select string_agg(format('c.old ->> %1$L = c.new ->> %1$L', name), ' and ') from unnest(t.key_columns) as k (name)),
    case when t.discriminator_column is null then format('%L::jsonb', t.versions) else format('coalesce(%s -> ''versions'', %L::jsonb)', child, t.versions) end,
    t.delete_date_column,
    t.tenant_column,
    t.plain_columns,
    t.actions,
    context);
end $$;
`;
