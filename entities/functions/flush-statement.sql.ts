/**
 * What became of records of one table that subscriber capture noted, as queries that capture_statement makes events of:
 * $2 is the verb that touched them first, $3 their keys, a JSON array of arrays. Rows are read as they are now, by
 * primary key.
 *
 * A snapshot that is older than the statement may not show somebody else's delete, nor its event: it shows the row that
 * is gone beside the one that was inserted in its place, of which the younger is meant; and where the first write was
 * an insert and succeeded, the log is asked only at READ COMMITTED.
 */
export const flushStatement = (s: string): string => `-- version: 6
drop function if exists ${s}.equals(oid, smallint);
/*
 * SQL: whether two values of a key column are equal, by the operator of the primary key's own index. An operator that is
 * searched by its name may be anybody's: varchar and enums have none of their own, and the exact match wins. That is
 * why both sides are cast to the type that the index's operator class takes; to the column's own, if the class takes
 * many ("anyenum"). Without such an index: by the type's default class. Only a superuser makes classes. The type is
 * named for a modifier of -1: without one, "character" and "bit" would be of length 1, and cut what is cast to them.
 */
create or replace function ${s}.equality(relation oid, number smallint, one text, other text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive made (oid, made_of, typtype, typcategory) as (
    select y.oid, y.typbasetype, y.typtype, y.typcategory
    from pg_attribute a join pg_type y on y.oid = a.atttypid
    where a.attrelid = relation and a.attnum = equality.number
    union all
    select y.oid, y.typbasetype, y.typtype, y.typcategory from made m join pg_type y on y.oid = m.made_of
  ),
  base as (select * from made where made_of = 0),
  class as (
    select c.opcfamily as family, c.opcintype as type, 1 as rank
    from pg_index i
    cross join unnest(i.indkey::smallint[]) with ordinality as k (number, ordinal)
    join pg_opclass c on c.oid = i.indclass[(k.ordinal - 1)::integer]
    where i.indrelid = relation and i.indisprimary and k.number = equality.number
    union all
    select c.opcfamily, c.opcintype, 2
    from base b
    join pg_opclass c on c.opcdefault and c.opcmethod = (select m.oid from pg_am m where m.amname = 'btree')
    where (
      c.opcintype = b.oid
      or c.opcintype = case
        when b.typtype = 'e' then 'anyenum'::regtype
        when b.typcategory = 'A' then 'anyarray'::regtype
        when b.typtype = 'r' then 'anyrange'::regtype
      end
      or exists (
        select from pg_cast t
        where t.castsource = b.oid and t.casttarget = c.opcintype and t.castmethod = 'b' and t.castcontext = 'i'))
  )
  select coalesce((
    select format('(%1$s)::%5$s operator(%2$I.%3$s) (%4$s)::%5$s', one, n.nspname, o.oprname, other,
      format_type(case when y.typtype = 'p' then b.oid else y.oid end, -1))
    from class c
    cross join base b
    join pg_amop p on p.amopfamily = c.family and p.amoplefttype = c.type and p.amoprighttype = c.type
      and p.amopstrategy = 3
    join pg_operator o on o.oid = p.amopopr
    join pg_namespace n on n.oid = o.oprnamespace
    join pg_type y on y.oid = c.type
    order by c.rank, y.typispreferred desc
    limit 1
  ), format('%s operator(pg_catalog.=) %s', one, other))
$$;

-- The value of a key column as a note "n" has it, in the column's type. Not if others own that: a cast to it would run
-- their checks and casts. A domain's is read as what the domain is made of, an enum's is found among its labels.
create or replace function ${s}.noted_value(relation oid, number smallint, ordinal bigint) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
      when ${s}.column_kind(a.atttypid) <> 'others'
        then format('(%s)::%s', n.noted, format_type(a.atttypid, a.atttypmod))
      when ${s}.column_kind(y.oid) <> 'others' then format('(%s)::%s', n.noted, format_type(y.oid, -1))
      when y.typtype = 'e' then format('(select l.label from unnest(enum_range(null::%s)) l (label) where %s = %s)',
        format_type(y.oid, -1), ${s}.output_sql('l.label'), n.noted)
    end
  from pg_attribute a
  join pg_type y on y.oid = ${s}.base_type_of(a.atttypid)
  cross join lateral (select format('n.key ->> %s', noted_value.ordinal - 1) as noted) n
  where a.attrelid = relation and a.attnum = noted_value.number
$$;

-- The row of a note "n", and the conditions for its record in the log: written out, where calls of functions would cost more than the rest.
create or replace function ${s}.flush_parts(t ${s}.tracked, out row_of_note text, out in_log text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('from %s t where %s', t.table_oid::regclass,
      string_agg(
        ${s}.equality(
          t.table_oid, c.number, format('t.%I', k.name), ${s}.noted_value(t.table_oid, c.number, k.ordinal)),
        ' and ' order by k.ordinal)),
    format('e.table_name %s and e.record_key = n.record_key',
      case when cardinality(${s}.table_names(t.table_name)) = 1 then format('= %L', t.table_name) else format('= any (%L::text[])', ${s}.table_names(t.table_name)) end)
  from unnest(t.key_columns) with ordinality as k (name, ordinal)
  join ${s}.columns(t.table_oid) c on c.name = k.name
$$;

create or replace function ${s}.flush_notes(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('(select n.ordinal, n.key, case when length(%1$s) > 500 then ${s}.record_key(jsonb_build_object(%2$s), %3$L) else %1$s end as record_key from jsonb_array_elements($3) with ordinality as n (key, ordinal) offset 0) n',
    case when count(*) = 1 then format('(%s #>> ''{}'')', min(k.image)) else format('jsonb_build_array(%s)::text', string_agg(k.image, ', ' order by k.ordinal)) end,
    string_agg(format('%L, %s', k.name, k.image), ', ' order by k.ordinal),
    t.key_columns)
  from (
    select k.name, k.ordinal,
      format('to_jsonb(%s)', case c.kind when 'others' then ${s}.output_sql(n.noted) else n.noted end) as image
    from unnest(t.key_columns) with ordinality as k (name, ordinal)
    join ${s}.columns(t.table_oid) c on c.name = k.name
    cross join lateral ${s}.noted_value(t.table_oid, c.number, k.ordinal) n (noted)
  ) k
$$;

-- At READ COMMITTED, rows that were inserted and that the log does not know already: most flushes are these alone, and look at one event at most.
create or replace function ${s}.flush_inserts(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($query$
    select n.image
    from (select n.record_key, (select %1$s %2$s limit 1) as image from %3$s offset 0) n
    where n.image is not null
    and coalesce((select e.action from ${s}.event e where %4$s order by e.position desc limit 1), 'destroy') = 'destroy'$query$,
    ${s}.image_sql(t.table_oid, t.excluded_columns), p.row_of_note, ${s}.flush_notes(t), p.in_log)
  from ${s}.flush_parts(t) p
$$;

-- The row as it is now and the record's last state in the log. Columns that the table no longer has, or did not have then, are compared as
-- if they had been null. No aggregate makes a value of it again: that takes time with the square of a document's keys. Cost: a record's events since its last create are read and merged, by themselves
-- first, because their few columns are copied with each: a record with thousands of updates is dear to update.
create or replace function ${s}.flush_changes(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($query$
    select n.ordinal, case when l.new is null then f.old else b.old end as old, l.new
    from %3$s
    left join lateral (select %1$s as new %2$s order by age(t.xmin) limit 1) l on true
    left join lateral (
      select e.position, %5$s as data
      from ${s}.event e left join ${s}.event_sensitive h on h.position = e.position
      cross join lateral (select coalesce(e.data || h.data, e.data) as data) d
      where %4$s and e.action = 'create' and ($2 <> 'insert' or current_setting('transaction_isolation') = 'read committed')
      order by e.position desc limit 1
    ) c on true
    left join lateral (
      select %6$L::jsonb || c.data || coalesce(${s}.merge(%5$s order by e.position), '{}') as old
      from ${s}.event e left join ${s}.event_sensitive h on h.position = e.position
      cross join lateral (select coalesce(e.data || h.data, e.data) as data) d
      where %4$s and e.position > c.position
      having coalesce(bool_and(e.action <> 'destroy'), true)
    ) f on true
    left join lateral (
      select jsonb_object_agg(k.name, 'null'::jsonb)
        || (f.old - array(select o.name from jsonb_object_keys(f.old) o (name) where not l.new ? o.name)) as old
      from jsonb_object_keys(l.new) as k (name)
    ) b on f.old is not null$query$,
    ${s}.image_sql(t.table_oid, t.excluded_columns), p.row_of_note, ${s}.flush_notes(t), p.in_log,
    coalesce(t.today, 'd.data'), t.fills)
  from ${s}.flush_parts(t) p
$$;

-- How many records were changed that the log does not know, so that no event could tell it: asked after the events were written.
create or replace function ${s}.flush_lost(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($query$
    select count(*)
    from %2$s
    where (not exists (select %1$s) or 'create' <> all (%4$L::text[]))
    and coalesce((select e.action = 'destroy' and e.transaction_id <> pg_current_xact_id() from ${s}.event e where %3$s order by e.position desc limit 1), true)$query$,
    p.row_of_note, ${s}.flush_notes(t), p.in_log, t.actions)
  from ${s}.flush_parts(t) p
$$;
`;
