/**
 * How a column's value is written to the log, so that it comes back equal:
 * plain — to_jsonb gives an image that jsonb_populate_record reads back;
 * text — always the text form (json keeps its blanks, xml its declaration; types with a cast to json, composites);
 * jsonb — the image, but the text form for a JSON string or JSON null, which to_jsonb could not tell from SQL NULL;
 * float — the image, but the text form for -0, which jsonb numbers do not have;
 * array — the image, but the text form where bounds do not start at 1 or an element is -0.
 */
export const columnKind = (s: string): string => `-- version: 1
create or replace function ${s}.column_kind(of oid) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t pg_type;
  element text;
begin
  select * into t from pg_type where oid = of;
  if t.typtype = 'd' then return ${s}.column_kind(t.typbasetype); end if;
  if t.oid in ('json'::regtype, 'xml'::regtype) or t.typtype = 'c' then return 'text'; end if;
  if t.oid = 'jsonb'::regtype then return 'jsonb'; end if;
  if t.oid in ('float4'::regtype, 'float8'::regtype) then return 'float'; end if;
  if t.oid in ('pg_node_tree'::regtype, 'pg_ndistinct'::regtype, 'pg_dependencies'::regtype, 'pg_mcv_list'::regtype)
    or t.typtype = 'p' then return 'refused'; end if;
  if t.typcategory = 'A' then
    if t.typelem = 0 or t.oid in ('int2vector'::regtype, 'oidvector'::regtype) then return 'text'; end if;
    element := ${s}.column_kind(t.typelem);
    return case when element in ('plain', 'float') then 'array' when element = 'refused' then element else 'text' end;
  end if;
  if exists (select from pg_cast where castsource = of and casttarget in ('json'::regtype, 'jsonb'::regtype)) then
    return 'text';
  end if;
  return 'plain';
end $$;
`;
