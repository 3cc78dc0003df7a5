import { type Attack, statements } from "./attack.js";

/** What marked the transactions of the log's own functions, now and before, and what else might be taken for a mark. */
const marks = [
  "select set_config('chronicle.permitted', pg_current_xact_id()::text, true)",
  "select set_config('chronicle.permitted', pg_current_xact_id_if_assigned()::text, false)",
  "set local chronicle.erasing = 'on'; set local chronicle.cleanup = 'on'; set local chronicle.retaining = 'on'",
  "create function pg_temp.activity_cleanup() returns void language sql as ''",
  "create function public.activity_cleanup(timestamptz, integer) returns bigint language sql as 'select 1::bigint'",
  "set local search_path = pg_temp, public, chronicle",
  "set local row_security = off",
];

const changes = [
  "insert into chronicle.event (table_name, entity, record_id, record_key, action, version, data, previous) values ('public.account', 'Account', '{\"id\": 99}', '99', 'create', 1, '{\"id\": 99, \"name\": \"never was\"}', '{}')",
  "insert into chronicle.event (position, table_name, entity, record_id, record_key, action, version, data, previous) overriding system value values (1000000, 'public.account', 'Account', '{}', '', 'create', 1, '{}', '{}')",
  "insert into chronicle.event_sensitive values (1000000, '{}', '{}')",
  "insert into chronicle.event_late values (1000000)",
  "insert into chronicle.bookmark select 'mine', (b).* from (select null::chronicle.bookmark) x (b)",
  "insert into chronicle.activity (id, occurred_at, action, category, outcome, severity, details, node, source) values (gen_random_uuid(), now(), 'alert', 'activity', 'success', 'critical', '{}', 'x', 'server')",
  "insert into chronicle.activity_writer (run, node, waiting, queue, seen_at) values (gen_random_uuid(), 'x', 1, 1, now())",
  "insert into chronicle.sleeping_tail (id, until) select gen_random_uuid(), now() + '1 year' from generate_series(1, 1000)",
  "insert into chronicle.schema_change select * from chronicle.schema_change",
  "insert into chronicle.commit_marker values (1)",
  "insert into chronicle.gate default values",
  "update chronicle.event set actor_id = 'somebody else', action_name = 'erase'",
  "update chronicle.event_sensitive set data = '{}', previous = '{}'",
  "update chronicle.bookmark set position = 0",
  "update chronicle.tracked set actions = '{}', plain_columns = '{name,tax_number}', table_oid = 0",
  "update chronicle.installation set require_actor = true, step = 0, activity_retention_days = 0",
  "update chronicle.activity set subject = 'nobody', outcome = 'success'",
  "update chronicle.activity_writer set seen_at = '-infinity'",
  "delete from chronicle.event",
  "delete from chronicle.event where false",
  "delete from chronicle.event_sensitive",
  "delete from chronicle.activity",
  "delete from chronicle.bookmark",
  "delete from chronicle.tracked",
  "delete from chronicle.installation",
  "delete from chronicle.activity_writer",
  "delete from chronicle.schema_change",
  "delete from chronicle.table_shape",
  "with gone as (delete from chronicle.event returning 1) select count(*) from gone",
  "merge into chronicle.event e using (select 1) s on true when matched then delete",
  "insert into chronicle.bookmark (name) values ('kept') on conflict (name) do update set position = 0",
  "truncate chronicle.event, chronicle.event_sensitive, chronicle.activity",
];

const inOne = (list: readonly string[]) => `begin; ${list.join("; ")}; commit`;
const imitating = (change: string) => [
  `/*\nPL/pgSQL function chronicle.activity_cleanup(timestamp with time zone,integer) line 7 at SQL statement*/ ${change}`,
  `do $$ begin /* chronicle.append(chronicle.change[],text) */ ${change.replaceAll("$$", "")}; end $$`,
];

const everyWay: Readonly<Record<string, readonly string[]>> = {
  "writes to each table": changes,
  "writes behind each mark of the log's own transactions": marks.flatMap((mark) =>
    changes.map((change) => inOne([mark, change])),
  ),
  "writes behind all marks at once, set for the session": [...marks, ...changes],
  "writes with a call stack that looks like the log's": changes.flatMap(imitating),
  "writes by functions, rules and prepared statements of its own": changes.flatMap((change, n) => [
    `create or replace function public.w${n}() returns void language plpgsql security definer as $f$ begin ${change}; end $f$`,
    `select public.w${n}()`,
    `prepare w${n} as ${change}`,
    `execute w${n}`,
  ]),
  "writes through triggers of its own tables": changes
    .slice(0, 12)
    .flatMap((change, n) => [
      `create table public.lever${n} (id integer)`,
      `create function public.pull${n}() returns trigger language plpgsql as $f$ begin ${change}; return null; end $f$`,
      `create trigger pull after insert on public.lever${n} for each row execute function public.pull${n}()`,
      `insert into public.lever${n} values (1)`,
    ]),
};

/** What functions that the application's role may call must not be made to do. */
const calls: readonly Attack[] = [
  statements("application", "flushes what is not tracked, is not there, or is SQL", [
    ...["pg_authid", "public.none", "public.account; drop table public.account", 'x" || 1', "chronicle.event", ""].map(
      (table) =>
        `select chronicle.flush('${JSON.stringify({ exclusive: false, locks: null, refuse: false, contexts: [], runs: [{ table, keys: [[1]], first: "insert", context: null }] })}')`,
    ),
    ...["'{}'", "'[]'", "'null'", "null", `'{"runs": []}'`, `'{"runs": [[]]}'`, `'{"runs": [{"table": 1}]}'`].map(
      (payload) => `select chronicle.flush(${payload})`,
    ),
  ]),
  statements(
    "application",
    "flushes what did not happen: keys without a row, rows that are not new, a verb that is none",
    ["insert", "update", "delete", "none", "'; drop table account; --"].flatMap((first) =>
      [[[99]], [[1]], [[1], [1]], [["1"]], [[null]], [[1, 2]], [], [["1'; drop table account; --"]], [{}]].map(
        (keys) =>
          `select chronicle.flush('${JSON.stringify({ exclusive: false, locks: null, refuse: false, contexts: [{ actor: { type: "user", id: "forged" } }], runs: [{ table: "public.account", keys, first, context: 0 }] }).replaceAll("'", "''")}')`,
      ),
    ),
  ),
  statements("application", "ends entries before their time", [
    ...["now()", "'infinity'", "'-infinity'", "null", "now() + interval '100 years'"].flatMap((time) =>
      ["1000000", "-1", "null", "0"].map((most) => `select chronicle.activity_cleanup(${time}, ${most})`),
    ),
    "set timezone = 'Etc/GMT+12'; select chronicle.activity_cleanup(now(), 1000)",
    "set datestyle = 'German'; select chronicle.activity_cleanup(now(), 1000)",
    "begin; savepoint s; select chronicle.activity_cleanup(now(), 1000); delete from chronicle.activity; rollback to s; delete from chronicle.activity; commit",
  ]),
  statements("application", "forges an alert that would mute the true one", [
    ...[
      { action: "alert", category: "activity" },
      { category: "activity", action: "alert", details: { alert: "failuresPerSubject", value: "ada" } },
      { action: "alert", category: "activity", source: "client" },
    ].map(
      (entry) =>
        `select chronicle.record_activity('[${JSON.stringify({ id: "00000000-0000-4000-8000-0000000000aa", occurred_at: "2030-01-01", outcome: "success", severity: "info", params: {}, details: {}, node: "x", source: "server", ...entry })}]')`,
    ),
    `select chronicle.record_activity('[{"action": "x", "action": "alert", "category": "activity"}]')`,
    `select chronicle.record_activity('{"action": "alert", "category": "activity"}')`,
    `select chronicle.record_activity('[[{"action": "alert", "category": "activity"}]]')`,
  ]),
  statements(
    "application",
    "runs SQL by the names and values of a rule for alerts",
    ["x'; delete from chronicle.activity; --", "%I %L %s $1", "\\'; select 1; --", 'a" or true; --'].flatMap((text) => {
      const literal = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''")}'`;
      const hits = literal([{ value: text, at: new Date().toISOString() }]);
      const rule = { name: text, by: text, threshold: 1e9, windowSeconds: 60 };
      return [
        { ...rule, column: text },
        { ...rule, column: "ip" },
        { ...rule, column: "subject", equal: { [text]: text, outcome: text } },
        { ...rule, column: "subject", actions: [text, `${text}%`] },
        { ...rule, column: "subject", windowSeconds: text },
      ].map((given) => `select * from chronicle.raise_alerts(${literal(given)}, ${hits}, ${literal(text)})`);
    }),
  ),
  statements("application", "asks counts for what is not its to read", [
    "select chronicle.activity_failures('{sign_in}', '-infinity', null, null, null, null)",
    "select chronicle.activity_failures(null, null, null, null, null, null)",
    "select * from chronicle.activity_writers(null)",
    "select * from chronicle.take_lost_writers('{x}', 'x')",
    "select * from chronicle.take_lost_writers(null, null)",
    "select * from chronicle.activity_due('infinity')",
  ]),
  statements("application", "speaks for processes that it does not know, and says that it is many", [
    "select chronicle.activity_farewell(gen_random_uuid()) from generate_series(1, 1000)",
    "select chronicle.activity_alive(gen_random_uuid(), 'x', 2147483647, 2147483647) from generate_series(1, 1000)",
    "select chronicle.activity_alive(null, null, null, null)",
  ]),
  statements("reader", "has writers wake more tails than a role may have", [
    "select chronicle.fall_asleep(gen_random_uuid(), 'infinity') from generate_series(1, 5000)",
    "select chronicle.fall_asleep(gen_random_uuid(), 'nan')",
    "select chronicle.fall_asleep(gen_random_uuid(), -1)",
    ...Array.from({ length: 100 }, () => "select chronicle.fall_asleep(gen_random_uuid(), 3600)"),
  ]),
  statements("reader", "asks functions for what they do not give", [
    "select * from chronicle.tail_positions(null, null, null, null, null, null, null)",
    "select * from chronicle.about_time('infinity')",
    "select * from chronicle.around_time(9223372036854775807, '-infinity', 'infinity')",
    "select chronicle.torn(-1, -1::smallint, '0')",
    `select chronicle.number_as_text('"x"')`,
    "select chronicle.record_key_of('pg_authid', '{}', '{rolpassword}')",
    "select * from chronicle.columns('pg_authid')",
    "select chronicle.text_size('{}', null)",
    "select chronicle.wake_up(gen_random_uuid())",
  ]),
  statements("stranger", "notifies tails of nothing, with any payload", [
    "listen chronicle",
    ...["", "x", "{}", "a".repeat(7_000)].map((payload) => `notify chronicle, '${payload}'`),
  ]),
  statements("owner", "empties the log by mistake, owning everything", [
    "update chronicle.event set data = '{}'",
    "delete from chronicle.event",
    "truncate chronicle.event",
    "truncate chronicle.event cascade",
    "delete from chronicle.event_sensitive",
    "truncate chronicle.activity",
    "delete from chronicle.activity where true",
    "update chronicle.activity set subject = null",
    "update chronicle.bookmark set position = 1",
    "delete from chronicle.bookmark",
    "with gone as (delete from chronicle.event returning 1) select count(*) from gone",
    "set chronicle.erasing = 'on'; delete from chronicle.event",
    "set chronicle.permitted = 'on'; delete from chronicle.event",
    "set chronicle.permitted = '1'; delete from chronicle.event",
    "set chronicle.permitted = ''; delete from chronicle.event",
  ]),
];

/** The writer has every table's privileges; the others have none, and a setting or a stack must not give them any. */
export const permissionAttacks: readonly Attack[] = [
  ...(["writer", "application", "stranger"] as const).flatMap((as) =>
    Object.entries(everyWay).map(([title, list]) => statements(as, title, list)),
  ),
  ...calls,
];
