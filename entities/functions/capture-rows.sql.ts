import { columnsHashOf, seesCatalogOfNow } from "./columns-hash.sql.js";

/**
 * What a capture function does beside, where its triggers are at row level. The first row that fires, before any
 * trigger of the application's, writes the events of all rows of the statement: a trigger of the first row may change
 * the second one again. Without transition tables, each row writes its own event.
 */
export const captureRows = (s: string): string => `-- version: 6
create or replace function ${s}.capture_rows(t ${s}.tracked, out declared text, out first text, out written text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  image text := 'select ' || ${s}.image_sql(t.table_oid, t.excluded_columns) || ' from (select ($1).*) t';
begin
  if t.level = 'row' and ${s}.row_by_row(t.table_oid) then
    declared := 'old_image jsonb; new_image jsonb; row_image text;';
    written := format($body$if TG_LEVEL = 'ROW' then
    known := named is true and case
      when ${seesCatalogOfNow} and ${columnsHashOf("TG_RELID")} = case TG_RELID %1$s end then true
      else ${s}.columns_hash(TG_RELID, %2$s) = %3$s
    end%4$s;
    row_image := case when known then %5$L else (
      select 'select ' || ${s}.image_sql(TG_RELID, (${s}.as_it_is(k, TG_RELID)).excluded_columns, altered => true)
        || ' from (select ($1).*) t'
      from ${s}.tracked k
      where k.id = %6$s
    ) end;
    if TG_OP <> 'INSERT' then
      execute row_image into old_image using old;
    end if;
    if TG_OP <> 'DELETE' then
      execute row_image into new_image using new;
    end if;
    if known then
      %7$s;
    else
      execute ${s}.capture_statement(%6$s::smallint, 'ROW', '$1', relation => TG_RELID, shape => '$2')
      using context, (select ${s}.note_shape(k, TG_RELID) from ${s}.tracked k where k.id = %6$s), old_image, new_image;
    end if;
    perform ${s}.wake_tails();
    return null;
  end if;$body$,
      (select string_agg(format('when %s then %s', r.oid, ${columnsHashOf("r.oid")}), ' ')
       from (select t.table_oid as oid union select p.relid from pg_partition_tree(t.table_oid) p) r
       where ${s}.columns_hash(r.oid, t.table_oid) = ${s}.columns_hash(t.table_oid, t.table_oid)),
      t.table_oid, ${s}.columns_hash(t.table_oid, t.table_oid), ${s}.same_labels(t), image, t.id,
      ${s}.capture_statement(t.id, 'ROW', 'context'));
  elsif t.level = 'row' then
    declared := 'is_first boolean;';
    first := $body$if TG_LEVEL = 'ROW' then
    if TG_OP = 'DELETE' then
      is_first := old *= (select t.*::record from old_rows t limit 1);
    else
      is_first := new *= (select t.*::record from new_rows t limit 1);
    end if;
    if not is_first then return null; end if;
  end if;$body$;
  end if;
end $$;
`;
