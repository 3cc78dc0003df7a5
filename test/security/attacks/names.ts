import { eventLog } from "../../../src/index.js";
import { type Attack, statements } from "./attack.js";
import { Sample } from "./sample.js";
import type { Attacker, Scene } from "./scene.js";

/** Settings of a session that make another text or another meaning of the same value. */
const settings = `
  datestyle = 'German, DMY'; intervalstyle = 'iso_8601'; timezone = 'Asia/Kathmandu'; bytea_output = 'escape';
  extra_float_digits = -15; xmloption = 'content'; xmlbinary = 'hex'; lc_monetary = 'C'; lc_numeric = 'C';
  standard_conforming_strings = off; escape_string_warning = on; backslash_quote = on; quote_all_identifiers = on;
  array_nulls = off; transform_null_equals = on; client_encoding = 'LATIN1'; client_encoding = 'SQL_ASCII';
  client_min_messages = 'debug5'; check_function_bodies = off; row_security = off; default_transaction_deferrable = on;
  default_transaction_isolation = 'serializable'; default_transaction_isolation = 'repeatable read';
  plan_cache_mode = 'force_generic_plan'; plan_cache_mode = 'force_custom_plan'; work_mem = '64kB'; jit = on;
  jit_above_cost = 0; enable_seqscan = off; enable_indexscan = off; enable_hashagg = off; enable_hashjoin = off;
  enable_material = off; enable_sort = off; max_parallel_workers_per_gather = 8; parallel_setup_cost = 0;
  default_tablespace = 'none'; temp_tablespaces = 'none'; default_table_access_method = 'none'; default_toast_compression = 'pglz';
  search_path = ''; search_path = 'pg_temp, public'; application_name = 'chronicle'; gin_fuzzy_search_limit = 1;
  synchronous_commit = off; commit_delay = 0; lock_timeout = '10ms'; deadlock_timeout = '10ms';
  debug_print_plan = on; debug_discard_caches = 0; constraint_exclusion = on; from_collapse_limit = 1; join_collapse_limit = 1;
  geqo_threshold = 2; cursor_tuple_fraction = 0; vacuum_cost_delay = 0; tcp_keepalives_idle = 0; log_statement = 'none'`
  .split(";")
  .map((setting) => setting.trim());

const values = `'2024-02-03 04:05:06.789012+05:45', '2024-02-03', '1 year 2 mons -3 days 04:05:06.7',
  pg_catalog.decode('00ff5c27', 'hex'), 0.1::float8 OPERATOR(pg_catalog.+) 0.2, 12345678901234567890.123456789, 1234.5,
  '<a b="1">&lt;</a>', 'a ''quoted'' ä', array['a', null, 'NULL', '']::text[], '{"a": [1.10, null, "ä"]}'`;
const columns = "moment, day, lasts, bytes, ratio, exact, price, markup, words, list, document";

const plainWrites = (id: string) => [
  `insert into public.sample (id, ${columns}) values ('${id}', ${values})`,
  `update public.sample set exact = null, words = 'other', bytes = 'x' where id OPERATOR(pg_catalog.=) '${id}'`,
  `delete from public.sample where id OPERATOR(pg_catalog.=) '${id}'`,
];

/** After each setting a row comes, changes and stays: the last one is compared with what the fold makes of it. */
const underSettings: Attack = {
  title: "writes under each setting of a session",
  as: "application",
  writes: settings.length * 4,
  run: async (scene: Scene) => {
    const failed: string[] = [];
    for (const [index, setting] of settings.entries()) {
      const writes = plainWrites(`set ${index}`);
      const outcomes = await scene.run([`set ${setting}`, ...writes, writes[0] ?? ""]);
      if (outcomes.slice(1).some((outcome) => outcome !== "done")) failed.push(`${setting}: ${outcomes.join(", ")}`);
    }
    return failed.join("; ");
  },
};

/** Doubles of what capture, reading or a fold might call, in a schema that is found first. */
const double = (name: string, takes: string, gives: string, schema = "public") =>
  `create function ${schema}.${name}(${takes}) returns ${gives} language plpgsql as $f$ begin
     insert into public.caught values (current_user, '${name}'); raise exception 'caught as %', current_user; end $f$`;

const planted = (schema: string) => [
  "create table public.caught (who name, what text)",
  "grant insert on public.caught to public",
  double("to_jsonb", "text[]", "jsonb", schema),
  double("to_jsonb", "record", "jsonb", schema),
  double("jsonb_object_agg", "text, jsonb", "jsonb", schema),
  double("count", "bigint", "bigint", schema),
  double("coalesce", "text, text", "text", schema),
  double("greatest", "timestamptz, timestamptz", "timestamptz", schema),
  double("format", "text, text, text", "text", schema),
  double("concat", "text, text", "text", schema),
  double("current_setting", "text, integer", "text", schema),
  double("nextval", "text", "bigint", schema),
  double("pg_notify", "name, text", "void", schema),
  double("convert_from", "bytea, name", "text", schema),
  double("array_agg", "name", "name[]", schema),
  double("hashtextextended", "varchar, bigint", "bigint", schema),
  double("md5", "varchar", "text", schema),
  double("now", "", "timestamptz", schema),
  double("event", "", "text", schema),
  double("chronicle", "", "text", schema),
  `create table ${schema}.event (position bigint)`,
  `create table ${schema}.tracked (id integer)`,
  `create type ${schema}.change as (ordinal bigint)`,
  `create domain ${schema}.jsonb as text`,
  `create domain ${schema}.timestamptz as text`,
  `create collation ${schema}."C" from "POSIX"`,
  `create collation ${schema}."default" from "POSIX"`,
  ...["varchar, varchar", "text, varchar", "name, text", "jsonb, text", "bigint, text", "text[], varchar[]"].flatMap(
    (pair, n) => {
      const [left, right] = pair.split(", ");
      return [
        double(`same${n}`, pair, "boolean", schema),
        ...["=", "<>", "<", "||", "->>", "@>", "~"].map(
          (operator) =>
            `create operator ${schema}.${operator} (leftarg = ${left}, rightarg = ${right}, function = ${schema}.same${n})`,
        ),
      ];
    },
  ),
];

async function readsAndFolds(scene: Scene): Promise<string> {
  for (const role of ["reader", "owner"] as const) {
    const log = eventLog(await scene.guarded.open(role));
    for await (const event of log.events()) void event.position;
    await log.history("Sample", "planted");
    await log.status();
    if (role === "owner") await log.at(Sample, "planted", new Date());
  }
  return "";
}

/** Plants doubles; then all write and read, under the path that finds them first. None is called as anybody else. */
function plants(as: Attacker, title: string, schema: (scene: Scene) => string, make: readonly string[]): Attack {
  return {
    title,
    as,
    writes: 6,
    run: async (scene) => {
      const name = schema(scene);
      const made = await scene.run(make.map((text) => text.replaceAll("<schema>", name)));
      if (made.some((came) => came !== "done")) throw new Error(`There is nowhere to plant: ${made.join()}`);
      await scene.run(planted(name));
      const { owner, reader } = scene.guarded.roles;
      const path = `set search_path = ${name}, pg_catalog, public, pg_temp`;
      await scene.run([path, ...plainWrites("planted")], "application");
      await scene.run(plainWrites("planted again"), "application");
      const stopped = await readsAndFolds(scene).catch(({ message }: Error) => `stopped: ${message}`);
      const caught = await scene.query(
        `select distinct who, what from public.caught where who in ('${owner}', '${reader}')`,
      );
      // Statements of the tests themselves are not to call them afterwards.
      await scene.query(`set search_path = pg_catalog;
        drop table public.caught;
        do $$
        declare double regprocedure;
        begin
          for double in select oid from pg_proc where pronamespace = '"${name}"'::regnamespace loop
            execute format('drop function %s cascade', double);
          end loop;
        end $$;
        reset search_path`);
      const ran = caught.map(({ who, what }) => `${what} ran as ${who === owner ? "owner" : "reader"}`);
      return [stopped, ...ran].filter((text) => text !== "").join(", ");
    },
  };
}

export const namesAttacks: readonly Attack[] = [
  underSettings,
  plants("stranger", "plants doubles in public", () => "public", []),
  plants("application", "plants doubles in a schema that it puts first", () => "evil", [
    "create schema evil",
    "grant usage on schema evil to public",
  ]),
  statements("application", "puts temporary tables in the way of the log's, and calls its functions", [
    ...[
      "event",
      "tracked",
      "installation",
      "activity",
      "gate",
      "sleeping_tail",
      "activity_writer",
      "account",
      "pg_class",
    ].map((table) => `create temp table ${table} (id integer, position bigint, table_name text, lock_arguments text)`),
    "create temp table jsonb (id integer)",
    "create temp view pg_trigger as select 1 as tgname",
    "set search_path = pg_temp, pg_catalog, public",
    "select chronicle.activity_cleanup(now(), 10)",
    "select chronicle.lock_log()",
    `select chronicle.flush('{"exclusive": false, "locks": null, "refuse": false, "contexts": [], "runs": [{"table": "account", "keys": [[1]], "first": "insert", "context": null}]}')`,
    "select chronicle.activity_failures('{x}', now(), 'x', null, null, null)",
  ]),
  statements(
    "application",
    "writes while temporary tables and a hostile path hide the catalog",
    [
      "create temp table pg_class (oid oid)",
      "create temp table pg_attribute (attrelid oid)",
      "create temp table sample (id varchar(40) primary key)",
      "create temp table new_rows (id integer)",
      "set search_path = pg_temp, public",
      ...plainWrites("hidden"),
      "set search_path = ''",
      ...plainWrites("hidden"),
    ],
    { writes: 6 },
  ),
  {
    title: "keeps settings for its role, and comes back",
    as: "application",
    writes: 3,
    run: async (scene) => {
      const { application } = scene.guarded.roles;
      await scene.run([
        `alter role ${application} set session_replication_role = replica`,
        `alter role ${application} set search_path = pg_temp, evil`,
        `alter role ${application} set chronicle.permitted = '1'`,
      ]);
      await scene.run(plainWrites("kept"));
      await scene.run([`alter role ${application} reset all`]);
    },
  },
  statements("application", "casts types of its own to what functions take", [
    "create type public.sly as (a text)",
    "create function public.sly(public.sly) returns jsonb language plpgsql as $f$ begin raise exception 'caught as %', current_user; end $f$",
    "create cast (public.sly as jsonb) with function public.sly(public.sly) as implicit",
    "select chronicle.flush(row('x')::public.sly)",
    "select chronicle.raise_alerts(row('x')::public.sly, row('x')::public.sly, 'x')",
  ]),
];

/** By "$user" in the search_path that roles have; TypeORM finds the tables of a DataSource without a schema in it. */
export const likeTheOwner: Attack = plants(
  "application",
  "plants doubles in a schema that is called like the owner",
  (scene) => scene.guarded.roles.owner,
  ["create schema <schema>", "grant usage on schema <schema> to public"],
);
