/**
 * How a column's value is written to the log, so that it comes back equal:
 * plain — to_jsonb gives an image that jsonb_populate_record reads back;
 * text — always the text form (json keeps its blanks, xml its declaration; types with a cast to json, composites);
 * jsonb — the image, but the text form for a JSON string or JSON null, which to_jsonb could not tell from SQL NULL;
 * float — the image, but the text form for -0, which jsonb numbers do not have;
 * array — the image, but the text form where bounds do not start at 1 or an element is -0;
 * others — the text form as the type's output function gives it, because the type is another role's: to_jsonb and a
 * cast to text call the casts that its owner made. A type that is newer than the transaction's snapshot may be theirs.
 */
export const columnKind = (s: string): string => `-- version: 2
create or replace function ${s}.column_kind(of oid) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t pg_type;
  kind text;
  element text;
begin
  select * into t from pg_type where oid = of;
  if not found then return 'others'; end if;
  if t.typtype = 'd' then
    kind := ${s}.column_kind(t.typbasetype);
  elsif t.oid in ('json'::regtype, 'xml'::regtype) or t.typtype = 'c' then
    kind := 'text';
  elsif t.oid = 'jsonb'::regtype then
    kind := 'jsonb';
  elsif t.oid in ('float4'::regtype, 'float8'::regtype) then
    kind := 'float';
  elsif t.oid in ('pg_node_tree'::regtype, 'pg_ndistinct'::regtype, 'pg_dependencies'::regtype, 'pg_mcv_list'::regtype)
    or t.typtype = 'p' then
    kind := 'refused';
  elsif t.typcategory = 'A' then
    element := case
      when t.typelem <> 0 and t.oid not in ('int2vector'::regtype, 'oidvector'::regtype)
      then ${s}.column_kind(t.typelem) end;
    kind := case
      when element in ('plain', 'float') then 'array'
      when element in ('refused', 'others') then element
      else 'text' end;
  elsif exists (select from pg_cast where castsource = of and casttarget in ('json'::regtype, 'jsonb'::regtype)) then
    kind := 'text';
  else
    kind := 'plain';
  end if;
  return case when kind = 'refused' or ${s}.is_trusted(t.typowner) then kind else 'others' end;
end $$;
`;

/** A domain's base type, through all domains between; any other type as it is. */
export const baseTypeOf = (s: string): string => `-- version: 1
create or replace function ${s}.base_type_of(type oid) returns oid
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive made (oid, made_of) as (
    select t.oid, t.typbasetype from pg_type t where t.oid = base_type_of.type
    union all
    select t.oid, t.typbasetype from made m join pg_type t on t.oid = m.made_of
  )
  select oid from made where made_of = 0
$$;
`;
