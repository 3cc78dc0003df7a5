/**
 * SQL over rows `o` and `n`: whether a column differs, byte for byte. Where Postgres knows that values which are equal are the same
 * bytes (which it has to know for duplicates in an index), as for integers, times and text, but not for numeric or JSON, their own operator
 * takes a tenth of the time. Types of extensions have theirs where the pinned search_path does not look.
 */
export const differsSql = (s: string): string => `-- version: 1
create or replace function ${s}.differs_sql(relation oid, number smallint) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format(case when exists (
      select from pg_type y
      join pg_opclass o on o.opcdefault and o.opcintype = case when y.typtype = 'e' then 'anyenum'::regtype when y.oid = 'varchar'::regtype then 'text'::regtype else y.oid end
      join pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
      join pg_amproc p on p.amprocfamily = o.opcfamily and p.amproclefttype = o.opcintype and p.amprocrighttype = o.opcintype and p.amprocnum = 4
      where y.oid = a.atttypid and (y.typtype = 'e' or y.typnamespace = 'pg_catalog'::regnamespace and y.oid <> 'bpchar'::regtype) -- 'a' = 'a ' there
    ) then 'o.%1$I%2$s is distinct from n.%1$I%2$s' else 'row(o.%1$I)::record *<> row(n.%1$I)::record' end,
    a.attname, case when a.attcollation <> 0 then ' collate "C"' end) -- others may ignore case, perhaps only from tomorrow on
  from pg_attribute a where a.attrelid = relation and a.attnum = number
$$;
`;

/**
 * The effects of an update of many rows that keep their keys, in a table whose columns are known, from its transition
 * tables: columns are compared one by one, byte for byte and in their own types, and only those that changed are turned
 * into JSON. For 1,000 rows that takes a third of the time of comparing whole images; for one row the setting-up of so
 * many expressions costs more than it saves. An update that changes nothing is no effect.
 *
 * Old and new rows are paired by a full join, which has no nested loop: a plan that was cached for one row stays linear
 * for many.
 */
export const updateEffects = (s: string): string => `-- version: 4
create or replace function ${s}.update_effects(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($effects$
    select 'update' as action, jsonb_build_object(%2$s) as image, e.data, e.previous
    from (select row_number() over () as " chronicle ordinal", t.* from old_rows t) o
    full join (select row_number() over () as " chronicle ordinal", t.* from new_rows t) n using (" chronicle ordinal")
    cross join lateral (select %1$s offset 0) c
    cross join lateral (select %3$s as data, %4$s as previous offset 0) e
    where 'update' = any (%5$L::text[]) and e.data <> '{}'
    order by " chronicle ordinal"$effects$,
    string_agg(format('%s as c%s', ${s}.differs_sql(t.table_oid, c.number), c.number), ', ' order by c.number),
    string_agg(format('%L, %s', c.name, n.image), ', ' order by c.number) filter (where c.name = any (t.key_columns) or c.name in (t.discriminator_column, t.tenant_column)),
    string_agg(format('case when c.c%s then jsonb_build_object(%L, %s) else ''{}'' end', c.number, c.name, n.image), ' || ' order by c.number),
    string_agg(format('case when c.c%s then jsonb_build_object(%L, %s) else ''{}'' end', c.number, c.name, o.image), ' || ' order by c.number),
    t.actions)
  from ${s}.columns(t.table_oid) c
  cross join lateral ${s}.column_image_sql('o', c.name, c.kind) as o (image)
  cross join lateral ${s}.column_image_sql('n', c.name, c.kind) as n (image)
  where c.name <> all (t.excluded_columns)
$$;

-- Whether an update changed a key, from its transition tables.
create or replace function ${s}.is_rekeyed(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($check$exists (
      select from (select row_number() over () as " chronicle ordinal", %1$s from old_rows) o
      full join (select row_number() over () as " chronicle ordinal", %1$s from new_rows) n using (" chronicle ordinal")
      where %2$s)$check$,
    string_agg(format('%I', c.name), ', ' order by c.number),
    string_agg(${s}.differs_sql(t.table_oid, c.number), ' or ' order by c.number))
  from ${s}.columns(t.table_oid) c
  where c.name = any (t.key_columns)
$$;

-- The effects of a delete. If another row has the key by now, and its event came first, that row is recorded once more.
create or replace function ${s}.delete_effects(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($effects$
    select 'destroy' as action, image, '{}'::jsonb as data, image as previous
    from (select %1$s as image from old_rows t offset 0) t
    where 'destroy' = any (%2$L)$effects$, i.sql, t.actions) || case when l.live is null then '' else format($effects$
    union all
    select 'create', t.image, t.image, '{}'
    from old_rows o
    cross join lateral (select %1$s as image, t.cmin as written from %3$s offset 0) t
    where 'create' = any (%2$L) and %4$s$effects$,
      i.sql, t.actions, l.live,
      ${s}.is_recorded(t, format('${s}.record_key(t.image, %L)', t.key_columns), 't.written')) end
  from ${s}.image_sql(t.table_oid, t.excluded_columns) i (sql)
  cross join ${s}.live_rows(t, 'o.%I') l (live)
$$;
`;

/** The effect of an update of one row that keeps its key: whole images, compared. None where the key or nothing changed. */
export const singleUpdateEffect = (s: string): string => `-- version: 1
create or replace function ${s}.single_update_effect(t ${s}.tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($effect$
    select 'update' as action, r.new as image, r.new - c.same as data, r.old - c.same as previous
    from (select (select %1$s from old_rows t) as old, (select %1$s from new_rows t) as new offset 0) r
    cross join lateral (select array(select o.key from jsonb_each_text(r.old) o where r.new ->> o.key is not distinct from o.value) as same offset 0) c
    where c.same @> %2$L::text[] and r.new - c.same <> '{}' and 'update' = any (%3$L::text[])$effect$,
    ${s}.image_sql(t.table_oid, t.excluded_columns),
    t.key_columns,
    t.actions)
$$;
`;
