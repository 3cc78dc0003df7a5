import { type Paths } from "./path.js";

/** SQL that the application sends itself: these run in transactions that it opens itself, too. */
export const statements: Paths = {
  "insert by SQL": ({ manager }, { text, number }) =>
    manager.query(
      `insert into person (name, score, "addressCity") select $1, g, $1 from generate_series(1, $2::int) g`,
      [text, number % 4],
    ),
  "update every person by SQL": ({ manager }, { number }) =>
    manager.query(`update person set score = score + $1, name = nullif(name, '')`, [number % 3]),
  "update nothing by SQL": ({ manager }) => manager.query("update person set score = score"),
  "write two tables in one statement": ({ manager }, { number }) =>
    manager.query(
      `with gone as (delete from seat where code % 3 = $1 returning "row", number),
         moved as (update person set score = score + 1 where id % 3 = $1 returning id)
       insert into seat ("row", number, "personId") select 100 + m.id, m.id, m.id from moved m on conflict ("row", number) do nothing`,
      [number % 3],
    ),
  "replace rows in one statement": ({ manager }, { number }) =>
    manager.query(
      `with gone as (delete from team where length(name) % 3 = $1 returning *)
       insert into team (name, points) select name, points + 1 from gone where exists (select from gone)`,
      [number % 3],
    ),
  "take the keys of rows that move away in one statement": ({ manager }, { number }) =>
    manager.query(
      `with moved as (update seat set number = number + 1000 where "row" % 2 = $1 returning *)
       insert into seat ("row", number, code) select "row", number - 1000, null from moved`,
      [number % 2],
    ),
  "swap keys in one statement": ({ manager }) =>
    manager.query(
      `with gone as (delete from seat where number in (select min(number) from seat) returning *)
       update seat s set "row" = g."row", number = g.number from gone g
       where (s."row", s.number) = (select "row", number from seat where number > g.number order by 1, 2 limit 1)`,
    ),
  "change keys that other rows follow": ({ manager }, { number }) =>
    manager.query(
      `update team set name = case when name = upper(name) then lower(name) else upper(name) end where length(name) % 3 >= $1`,
      [number % 3],
    ),
  "insert over what is there": ({ manager }, { number }) =>
    manager.query(
      `insert into team (name, points) select 'team ' || g, $1 from generate_series(1, 3) g
       on conflict (name) do update set points = team.points + excluded.points`,
      [number % 4],
    ),
  "delete by SQL": ({ manager }, { number }) =>
    manager.query('delete from person p using seat s where s."personId" = p.id and p.id % 4 = $1', [number % 4]),
  merge: ({ manager }, { number }) =>
    manager.query(
      `merge into team t using (values ('team 1'), ('team 2'), ('team 30')) as s (name) on t.name = s.name
       when matched and t.points > ${number % 4} then delete when matched then update set points = t.points + 1
       when not matched then insert (name, points) values (s.name, 1)`,
    ),
  "empty a table": ({ manager }, { number }) =>
    manager.query(number % 2 === 0 ? "truncate vehicle" : "truncate invoice cascade"),
  "write in a block that takes a part back": ({ manager }) =>
    manager.query(
      `do $$ begin
         update person set score = 11 where id % 2 = 0;
         begin
           update person set score = 99, name = 'never';
           insert into team (name) values ('never');
           raise exception 'back';
         exception when raise_exception then null;
         end;
         update person set score = 12 where id % 2 = 1;
       end $$`,
    ),
  "call a function that writes twice": ({ manager }, { number }) =>
    manager.query("select write_twice($1)", [number % 5]),
  "change a deferred reference": ({ manager }) =>
    manager.query(`update person set "managerId" = (select max(id) from person) where id % 2 = 0`),
};
