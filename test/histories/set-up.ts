/** What the application's tables have that its entities do not say. Runs before the log is installed. */
export const setUp = `
  alter table seat add constraint seat_code unique (code) deferrable initially immediate;
  create function write_twice(rest integer) returns void language plpgsql as $$
  begin
    update person set score = score + 1 where id % 5 = rest;
    update person set score = score + 1, name = coalesce(name, '') || '!' where id % 5 = rest;
    insert into team (name, points) values ('by a function', rest) on conflict (name) do update set points = rest;
  end $$`;

/** With triggers of the application's own on every row, the log captures row by row too. */
export const rowTriggers = `;
  create function look_on() returns trigger language plpgsql as 'begin return null; end';
  do $$ declare name text; begin
    for name in select c.oid::regclass::text from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace loop
      execute format('create trigger look_on after insert or update or delete on %s for each row execute function look_on()', name);
    end loop;
  end $$`;

/** Release 2 splits a badge's label: filled by ALTER TABLE itself, so nothing is written row by row. */
export const releaseTwoMigration = `
  alter table badge
    add column sign text not null generated always as (split_part(label, ' ', 1)) stored,
    add column rest text not null generated always as (substr(label, length(split_part(label, ' ', 1)) + 2)) stored;
  alter table badge alter column sign drop expression, alter column rest drop expression;
  alter table badge drop column label`;

/** The badges as they will be in release 2, as test/live-rows.ts prints them. */
export const badgesInReleaseTwo = `
  select jsonb_build_array(to_jsonb(t.*), array[t.id::text, t.sign, t.rest])::text as row
  from (select id, split_part(label, ' ', 1) as sign, substr(label, length(split_part(label, ' ', 1)) + 2) as rest from badge) t order by 1`;
