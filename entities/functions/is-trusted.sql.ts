import { quoteLiteral } from "../../src/core/sql.js";

/** Whether a role's code may run with the rights of the log's owner: the owner's itself, and a superuser's. */
export const isTrusted = (s: string): string => `-- version: 1
create or replace function ${s}.is_trusted(role oid) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from pg_roles r
    where r.oid = role
    and (r.rolsuper or r.oid = (select n.nspowner from pg_namespace n where n.oid = ${quoteLiteral(s)}::regnamespace)))
$$;
`;

/**
 * Whether a table can be read without running code of others. A statement need not fetch a row for that: the planner
 * computes what is constant in expressions of indexes, partition keys and checks, as the role that asks. So the table's
 * partitions, heirs and parents count too.
 */
export const isReadable = (s: string): string => `-- version: 1
create or replace function ${s}.is_readable(relation oid) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (
    with recursive related (oid) as (
      select is_readable.relation
      union
      select case r.oid when i.inhparent then i.inhrelid else i.inhparent end
      from related r join pg_inherits i on r.oid in (i.inhparent, i.inhrelid)
    )
    select coalesce(bool_and(${s}.is_trusted(c.relowner)), false) from related r left join pg_class c on c.oid = r.oid
  );
end $$;
`;

/**
 * Whether values of types can be cast and compared without running code of others: no type is theirs, nor what it is
 * made of. A type that is newer than the transaction's snapshot may be theirs. In plpgsql, which keeps the plan.
 */
export const areOwn = (s: string): string => `-- version: 1
create or replace function ${s}.are_own(types oid[]) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return not exists (
    with recursive made (oid) as (
      select t.oid from unnest(types) as t (oid)
      union
      select o.oid
      from made m join pg_type y on y.oid = m.oid
      left join pg_attribute a on a.attrelid = y.typrelid and a.attnum > 0 and not a.attisdropped
      left join pg_range g on g.rngtypid = y.oid or g.rngmultitypid = y.oid
      cross join lateral (values (y.typbasetype), (y.typelem), (a.atttypid), (g.rngsubtype)) as o (oid)
      where o.oid <> 0
    )
    select from made m
    left join pg_type y on y.oid = m.oid
    where not ${s}.is_trusted(y.typowner));
end $$;
`;

/** Whether a table's values can be read, cast and compared without running code of others. */
export const isOwn = (s: string): string => `-- version: 1
create or replace function ${s}.is_own(relation oid) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return ${s}.is_readable(relation) and ${s}.are_own(array(
    select a.atttypid from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped));
end $$;
`;
