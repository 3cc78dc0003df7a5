import { type Attack, statements } from "./attack.js";
import type { Scene } from "./scene.js";

/** What may be tried on a relation, by what it is. */
const onRelation: Readonly<Record<string, (relation: string, n: number) => string[]>> = {
  "reads each relation, by any statement that reads": (r) => [
    `select * from ${r}`,
    `table ${r}`,
    `copy ${r} to stdout`,
    `copy (select * from ${r}) to stdout`,
    `select count(*) from ${r}`,
    `select ${r.split(".")[1]} from ${r}`,
    `select row_to_json(t) from ${r} t`,
    `begin; declare c cursor for select * from ${r}; fetch all from c; commit`,
    `prepare p as select * from ${r}; execute p; deallocate p`,
    `select * from ${r} for update`,
    `select * from ${r} tablesample system (100)`,
    `explain (analyze, verbose) select * from ${r}`,
    `do $$ declare t text; begin select string_agg(x::text, '') into t from ${r} x; raise notice '%', t; end $$`,
  ],
  "reads each relation by a view, a function or a table of its own": (r, n) => [
    `create view public.v${n} as select * from ${r}; select * from public.v${n}`,
    `create materialized view public.m${n} as select * from ${r}; select * from public.m${n}`,
    `create table public.t${n} as select * from ${r}; select * from public.t${n}`,
    `select * into public.i${n} from ${r}; select * from public.i${n}`,
    `create function public.f${n}() returns setof ${r} language sql security definer as 'select * from ${r}'; select public.f${n}()`,
  ],
  "reads statistics and sizes of each relation": (r) => [
    `select * from pg_stats where schemaname || '.' || tablename = '${r}'`,
    `select most_common_vals, histogram_bounds from pg_stats where schemaname = 'chronicle'`,
    `select stavalues1, stavalues2 from pg_statistic where starelid = '${r}'::regclass`,
    `create statistics public.s on table_name, entity from ${r}`,
  ],
  "adds rows to each relation": (r) => [
    `insert into ${r} default values`,
    `insert into ${r} select * from ${r}`,
    `insert into ${r} select (json_populate_record(null::${r}, '{}')).*`,
    `copy ${r} from program 'true'`,
    `copy ${r} from '/dev/null'`,
  ],
  "changes rows of each relation": (r) => [
    `update ${r} set ctid = ctid`,
    `delete from ${r}`,
    `delete from ${r} where false`,
    `truncate ${r} cascade`,
    `with gone as (delete from ${r} returning *) select * from gone`,
    `merge into ${r} t using (select 1) s on false when matched then delete`,
  ],
  "alters or drops each relation": (r) => [
    `alter table ${r} disable trigger all`,
    `alter table ${r} owner to current_user`,
    `alter table ${r} rename to mine`,
    `alter table ${r} set schema public`,
    `alter table ${r} add column mine text`,
    `alter table ${r} enable row level security`,
    `alter table ${r} replica identity full`,
    `alter table ${r} set unlogged`,
    `alter table ${r} set (autovacuum_enabled = false)`,
    `drop table ${r} cascade`,
    `create index on ${r} ((1))`,
    `cluster ${r}`,
    `reindex table ${r}`,
    `comment on table ${r} is 'mine'`,
    `grant all on ${r} to public`,
  ],
  "hangs something of its own on each relation": (r, n) => [
    `create function public.own${n}() returns trigger language plpgsql as 'begin return null; end'`,
    `create trigger own before insert on ${r} for each row execute function public.own${n}()`,
    `create trigger own after insert on ${r} referencing new table as rows for each statement execute function public.own${n}()`,
    `create rule own as on insert to ${r} do instead nothing`,
    `create policy own on ${r} using (true)`,
    `create table public.child${n} () inherits (${r})`,
    `create table public.part${n} partition of ${r} default`,
    `create table public.refers${n} (position bigint references ${r} on delete cascade on update cascade)`,
    `create publication own${n} for table ${r}`,
  ],
};

const onFunction = (call: string, n: number) => [
  `select ${call}`,
  `create function public.wraps${n}() returns void language sql security definer as 'select ${call.replaceAll("'", "''")}'; select public.wraps${n}()`,
  `alter function ${call.split("(")[0]} security invoker`,
  `alter function ${call.split("(")[0]} set search_path = public`,
  `alter function ${call.split("(")[0]} owner to current_user`,
  `create trigger own${n} after insert on public.mine for each row execute function ${call.split("(")[0]}()`,
];

const onSchema = (role: string) => [
  "create table chronicle.mine ()",
  "create function chronicle.mine() returns void language sql as ''",
  "create type chronicle.mine as (a text)",
  "create function chronicle.now() returns timestamptz language sql as 'select null::timestamptz'",
  "alter schema chronicle rename to mine",
  `alter schema chronicle owner to ${role}`,
  "drop schema chronicle cascade",
  `grant all on schema chronicle to ${role}`,
  `grant all on all tables in schema chronicle to ${role}`,
  `alter default privileges in schema chronicle grant all on tables to ${role}`,
  "reassign owned by current_user to current_user",
  "set session_replication_role = replica",
  "alter table account disable trigger all",
  "alter table account disable trigger user",
  'drop trigger " chronicle insert" on account',
  "alter table account rename to other",
  "drop table account cascade",
  "create rule skip as on insert to account do instead nothing",
  "create trigger a before insert on account for each row execute function suppress_redundant_updates_trigger()",
  "create event trigger mine on ddl_command_start execute function chronicle.capture_1()",
  "set role postgres",
  "set session authorization postgres",
  "create extension file_fdw",
  "create subscription s connection 'dbname=x' publication p with (connect = false)",
  "select lo_import('/etc/passwd')",
  "select pg_read_file('postgresql.conf')",
  "select pg_ls_waldir()",
  "select pg_logical_slot_peek_changes('s', null, null)",
  "select pg_create_logical_replication_slot('mine', 'test_decoding')",
  "select * from chronicle.event_position_seq",
  "alter sequence chronicle.event_position_seq restart 1",
];

export const movesPositions = [
  "select nextval('chronicle.event_position_seq')",
  "select setval('chronicle.event_position_seq', 1)",
  "select setval('chronicle.event_position_seq', 9223372036854775807)",
];

async function everyRelation(scene: Scene, make: (relation: string, n: number) => string[]): Promise<string[]> {
  return (await scene.names("relations")).flatMap(make);
}

const attackers = ["application", "reader", "stranger", "writer"] as const;

/** Everything that a role may try with what it has no right on; a member of pg_write_all_data has rights on every table. */
export const rightsAttacks: readonly Attack[] = attackers.flatMap((as) => [
  ...Object.entries(onRelation).map(([title, make]) => statements(as, title, (scene) => everyRelation(scene, make))),
  statements(as, "calls, wraps and alters each function", async (scene) => [
    "create table public.mine (id integer)",
    // Its own right is to flush nothing, to say that it is alive and to be away.
    ...(await scene.names("functions")).flatMap(onFunction),
  ]),
  {
    title: "alters the schema, the tracked tables' triggers, or becomes somebody else",
    as,
    run: async (scene: Scene) => {
      await scene.run(onSchema(as === "writer" ? "current_user" : scene.guarded.roles[as]));
    },
  },
  statements(as, "gets a tracked table's capture onto a table of its own", [
    "create table public.own (id integer, name text, settings jsonb, tax_number text)",
    "create temp table account (id integer, name text, settings jsonb, tax_number text)",
    ...["public.own", "pg_temp.account"].flatMap((table) => [
      `create trigger forge after insert on ${table} referencing new table as new_rows for each statement execute function chronicle.capture_1()`,
      `create trigger forge after insert on ${table} for each row execute function chronicle.capture_1()`,
      `insert into ${table} values (99, 'never was')`,
    ]),
  ]),
  ...(as === "writer" ? [] : [statements(as, "moves the positions", movesPositions)]),
]);
