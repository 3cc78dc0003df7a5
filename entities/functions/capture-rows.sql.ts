import { columnsHashOf } from "./columns-hash.sql.js";

/**
 * What a capture function does beside, where its triggers are at row level. The first row that fires, before any trigger of the
 * application's, writes the events of all rows of the statement: a trigger of the first row may change the second one again.
 * Where there are no transition tables, each row writes its own event.
 */
export const captureRows = (s: string): string => `-- version: 2
create or replace function ${s}.capture_rows(t ${s}.tracked, out declared text, out first text, out written text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  image text := 'select ' || ${s}.image_sql(t.table_oid, t.excluded_columns) || ' from (select ($1).*) t';
  shape bigint := ${columnsHashOf("t.table_oid")};
begin
  if t.level = 'row' and ${s}.row_by_row(t.table_oid) then
    declared := 'old_image jsonb; new_image jsonb;';
    written := format($body$if TG_LEVEL = 'ROW' then
    known := ${columnsHashOf("TG_RELID")} = %1$s;
    if TG_OP <> 'INSERT' then
      execute case when known then %2$L else 'select ' || ${s}.image_sql(TG_RELID, %3$L) || ' from (select ($1).*) t' end into old_image using old;
    end if;
    if TG_OP <> 'DELETE' then
      execute case when known then %2$L else 'select ' || ${s}.image_sql(TG_RELID, %3$L) || ' from (select ($1).*) t' end into new_image using new;
    end if;
    %4$s;
    perform ${s}.wake_tails();
    return null;
  end if;$body$, shape, image, t.excluded_columns, ${s}.capture_statement(t.id, 'ROW', 'context'));
  elsif t.level = 'row' then
    declared := 'is_first boolean;';
    first := $body$if TG_LEVEL = 'ROW' then
    if TG_OP = 'DELETE' then
      is_first := old *= (select row(t.*) from old_rows t limit 1);
    else
      is_first := new *= (select row(t.*) from new_rows t limit 1);
    end if;
    if not is_first then return null; end if;
  end if;$body$;
  end if;
end $$;
`;
