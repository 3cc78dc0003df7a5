/**
 * The statement that finds what became of the noted records of one table ($1 is the payload of flush): the row as it is now, read
 * by primary key, and the record's last state in the log. Columns that the table no longer has, or did not have then, are compared as if they had been null.
 * A snapshot that is older than the statement may not show somebody else's delete, nor its event: it shows the row that is gone
 * beside the one that was inserted in its place, of which the younger is meant; and where the first write was an insert and
 * succeeded, the log is asked only at READ COMMITTED.
 * Cost: the events of a record since its last create are merged, so a record with thousands of updates is dear to update.
 */
export const flushStatement = (s: string): string => `-- version: 1
create or replace function ${s}.equals(relation oid, number smallint) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- citext, ltree and other types of extensions have an operator of their own, which the pinned search_path does not show
  select coalesce((
    select format('operator(%I.=)', n.nspname)
    from pg_attribute a join pg_type y on y.oid = a.atttypid
    join pg_operator o on o.oprname = '=' and o.oprleft = o.oprright and o.oprleft = coalesce(nullif(y.typbasetype, 0), y.oid)
    join pg_namespace n on n.oid = o.oprnamespace
    where a.attrelid = relation and a.attnum = number
  ), '=')
$$;
create or replace function ${s}.flush_statement(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($statement$
select array_agg(row(n.ordinal, %1$L, case when l.new is null then f.old else b.old end, l.new)::${s}.change)
from (
  select ordinal, note -> 'key' as key, note ->> 'first' as first
  from jsonb_array_elements($1 -> 'notes') with ordinality as e (note, ordinal)
  where note ->> 'table' = %1$L
) n
cross join lateral (select ${s}.record_key(jsonb_build_object(%2$s), %3$L) as record_key offset 0) r
left join lateral (select %4$s as new from %5$s t where %6$s order by age(t.xmin) limit 1) l on true
left join lateral (
  select case when (array_agg(e.action order by e.position desc))[1] <> 'destroy'
    then ${s}.merge(case when h.data is null then e.data else e.data || h.data end order by e.position) end as old
  from ${s}.event e left join ${s}.event_sensitive h on h.position = e.position
  where e.table_name = any (%7$L::text[]) and e.record_key = r.record_key and e.position >= (
    select max(c.position) from ${s}.event c where c.table_name = any (%7$L::text[]) and c.record_key = r.record_key and c.action = 'create')
  and (n.first <> 'insert' or current_setting('transaction_isolation') = 'read committed')
) f on true
left join lateral (
  select jsonb_object_agg(k.name, coalesce(f.old -> k.name, 'null')) as old from jsonb_object_keys(l.new) as k (name)
) b on f.old is not null
$statement$,
    t.table_name,
    (select string_agg(format('%L, to_jsonb((n.key ->> %s)::%s)', k.name, k.ordinal - 1, c.type), ', ' order by k.ordinal)
      from unnest(t.key_columns) with ordinality as k (name, ordinal) join ${s}.columns(t.table_oid) c on c.name = k.name),
    t.key_columns,
    ${s}.image_sql(t.table_oid, t.excluded_columns),
    t.table_oid::regclass,
    (select string_agg(format('t.%I %s (n.key ->> %s)::%s', k.name, ${s}.equals(t.table_oid, c.number), k.ordinal - 1, c.type), ' and ' order by k.ordinal)
      from unnest(t.key_columns) with ordinality as k (name, ordinal) join ${s}.columns(t.table_oid) c on c.name = k.name),
    ${s}.table_names(t.table_name))
$$;
`;
