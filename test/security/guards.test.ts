import { randomUUID } from "node:crypto";
import { expect } from "chai";
import pg from "pg";
import { query } from "../database.js";
import { Account } from "./entities.js";
import { inPlace, type Place } from "./place.js";

const permitted = "select set_config('chronicle.permitted', pg_current_xact_id()::text, true)";
const appendOnly = ["event", "event_sensitive", "event_late", "activity", "bookmark"];

async function tables({ url }: Place): Promise<string[]> {
  const rows = await query<{ name: string }>(
    url,
    `select c.relname as name from pg_class c
    where c.relnamespace = 'chronicle'::regnamespace and c.relkind in ('r', 'p') order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** What SQL comes to in a transaction that is rolled back, where its other statements succeed. */
async function outcome(url: string, role: string, before: readonly string[], sql: string): Promise<string> {
  const client = new pg.Client({ connectionString: Object.assign(new URL(url), { username: role }).href });
  await client.connect();
  try {
    await client.query("begin");
    for (const statement of before) await client.query(statement);
    await client.query(sql);
    return "done";
  } catch (error) {
    return (error as pg.DatabaseError).code ?? String(error);
  } finally {
    await client.end();
  }
}

/** Writes of each kind on a table, in ways that reach no row too: a guard is asked before. */
async function writes(url: string, table: string): Promise<string[]> {
  const [{ column } = { column: null }] = await query<{ column: string | null }>(
    url,
    `select quote_ident(attname) as column from pg_attribute
    where attrelid = ('chronicle.' || quote_ident($1))::regclass and attnum > 0 and attidentity = '' and attgenerated = ''
    limit 1`,
    [table],
  );
  return [
    `insert into chronicle.${table} ${column === null ? "" : `(${column})`}
      select ${column ?? ""} from chronicle.${table} where false`,
    `delete from chronicle.${table} where false`,
    ...(column === null ? [] : [`update chronicle.${table} set ${column} = ${column} where false`]),
    `truncate chronicle.${table}`,
  ];
}

describe("the guards of the log", function () {
  this.timeout(60_000);

  it("refuse its owner to change or delete what was recorded, whatever id the mark has but the transaction's own", () =>
    inPlace(async (place) => {
      const { as, log, roles, url } = place;
      await log.install();
      await as("owner", "insert into account (name, tax_number) values ('Ada', '12')");
      await log.bookmark("now");
      await log.activity.recordNow("tried");
      await log.partition();
      const guesses = [
        [],
        ["set chronicle.permitted = 'on'"],
        ["set chronicle.permitted = ''"],
        ["select set_config('chronicle.permitted', (pg_current_xact_id()::text::bigint + 1)::text, false)"],
        ["select set_config('chronicle.permitted', (pg_current_xact_id()::text::bigint - 1)::text, false)"],
        ["set chronicle.permitted = '1'", "/* chronicle.activity_cleanup(\n */ select 1"],
      ];
      for (const table of [...appendOnly, "event_0", "event_1"])
        for (const sql of (await writes(url, table)).slice(1))
          for (const guess of guesses)
            expect(await outcome(url, roles.owner, guess, sql), [...guess, sql].join("; ")).to.equal("CH004");
      for (const table of [...appendOnly, "event_0", "event_1"])
        expect(await outcome(url, roles.owner, [permitted], `truncate chronicle.${table}`), table).to.equal("CH004");
      expect(await outcome(url, roles.owner, [permitted], "delete from chronicle.event"), "on purpose").to.equal(
        "done",
      );
    }));

  const strangers: Readonly<Record<string, (place: Place) => Promise<unknown>>> = {
    "a member of pg_write_all_data": ({ url, roles }) => query(url, `grant pg_write_all_data to ${roles.first}`),
    "whoever was granted all": async ({ as, url, roles }) => {
      await as(
        "owner",
        `grant all on all tables in schema chronicle to ${roles.first};
        grant all on schema chronicle to ${roles.first}; grant all on all sequences in schema chronicle to ${roles.first}`,
      );
      await query(url, "select 1");
    },
  };
  for (const [who, give] of Object.entries(strangers))
    it(`refuse ${who} every write on every table and partition, with the mark set too`, () =>
      inPlace(async (place) => {
        const { as, log, roles, url } = place;
        await log.install({ grantTo: roles.application });
        await as("owner", "insert into account (name, tax_number) values ('Ada', '12')");
        await log.partition();
        await give(place);
        const all = await tables(place);
        expect(all).to.include.members([
          ...appendOnly,
          "event_0",
          "event_1",
          "tracked",
          "installation",
          "sleeping_tail",
        ]);
        for (const table of all)
          for (const sql of await writes(url, table)) {
            // A member of pg_write_all_data can neither read nor empty.
            const needed = who.startsWith("a member") && sql.startsWith("truncate") ? "42501" : "CH004";
            if (who.startsWith("a member")) await query(url, `grant pg_read_all_data to ${roles.first}`);
            for (const mark of [[], [permitted]])
              expect(await outcome(url, roles.first, mark, sql), `${mark.join("")} ${sql}`).to.equal(needed);
          }
        // What the library and its capture write on behalf of anybody goes on.
        await query(
          url,
          `grant insert on account to ${roles.first}; grant usage on all sequences in schema public to ${roles.first}`,
        );
        await as("first", "insert into account (name, tax_number) values ('Grace', '13')");
        expect(await query(url, "select count(*)::integer as n from chronicle.event")).to.deep.equal([{ n: 2 }]);
      }));

  it("are left by what was granted, and taken, on the owner's own tables: its capture goes on", () =>
    inPlace(async ({ as, log, roles, url }) => {
      await log.install();
      await as("owner", `revoke trigger, truncate, references on all tables in schema chronicle from ${roles.owner}`);
      await as("owner", "insert into account (name, tax_number) values ('Ada', '12')");
      await log.activity.recordNow("tried");
      await log.erase(Account, 1);
      expect(await query(url, "select count(*)::integer as n from chronicle.event")).to.deep.equal([{ n: 2 }]);
    }));
});

describe("functions of the log that run with its owner's rights", function () {
  this.timeout(60_000);
  const count = async (url: string, sql: string) =>
    Number((await query<{ n: string }>(url, `select count(*) as n from chronicle.${sql}`))[0]?.n);
  const asked = async (as: Place["as"], role: "application" | "reader", sql: string) =>
    as(role, sql).then(
      (rows) => rows,
      ({ code }: pg.DatabaseError) => code,
    );

  it("let a role put 20 tails to sleep for two minutes, and wake its own alone", () =>
    inPlace(async ({ as, log, grants, url }) => {
      await log.install({ ...grants, grantReadTo: [grants.grantReadTo as string, grants.grantTo as string] });
      await as("reader", "select chronicle.fall_asleep(gen_random_uuid(), 1e9) from generate_series(1, 100)");
      for (let n = 0; n < 5; n++) await as("reader", "select chronicle.fall_asleep(gen_random_uuid(), 1e9)");
      for (const odd of ["'NaN'", "'Infinity'", "null", "-5"])
        await as("reader", `select chronicle.fall_asleep(gen_random_uuid(), ${odd})`);
      expect(await count(url, "sleeping_tail")).to.equal(20);
      expect(await count(url, "sleeping_tail where until > now() + interval '121 seconds'")).to.equal(0);
      const mine = randomUUID();
      await as("application", `select chronicle.fall_asleep('${mine}', 60)`);
      await as("reader", `select chronicle.wake_up('${mine}')`);
      await as("reader", `select chronicle.fall_asleep('${mine}', -60)`);
      expect(await count(url, `sleeping_tail where id = '${mine}' and until > now()`)).to.equal(1);
      await as("application", `select chronicle.wake_up('${mine}')`);
      expect(await count(url, `sleeping_tail where id = '${mine}'`)).to.equal(0);
    }));

  it("put no tail to sleep while the table that every writer looks into is full of rows that went", () =>
    inPlace(async ({ as, log, grants, url, roles }) => {
      await log.install(grants);
      const holder = new pg.Client({ connectionString: url });
      await holder.connect();
      try {
        await query(
          url,
          `insert into chronicle.sleeping_tail (id, until)
          select gen_random_uuid(), now() - interval '1 hour' from generate_series(1, 20000)`,
        );
        await holder.query("begin isolation level repeatable read; select 1");
        const asleep = async () => {
          await as("reader", "select chronicle.fall_asleep(gen_random_uuid(), 1)");
          return count(url, `sleeping_tail where role = '${roles.reader}'`);
        };
        expect(await asleep()).to.equal(0);
        expect(await count(url, "sleeping_tail"), "went, and cannot be cleaned").to.equal(0);
        await holder.query("rollback");
        await query(url, "vacuum chronicle.sleeping_tail");
        expect(await asleep()).to.equal(1);
      } finally {
        await holder.end();
      }
    }));

  it("add no entry that says it is an alert", () =>
    inPlace(async ({ as, log, grants, url }) => {
      await log.install(grants);
      const entry = (more: string) =>
        `select chronicle.record_activity('[{"id": "${randomUUID()}", "occurred_at": "2026-01-01", "log": "default",
          "outcome": "success", "severity": "info", "params": {}, "details": {"alert": "mine"}, "node": "n", "source": "server", ${more}}]')`;
      for (const forged of [
        `"action": "alert", "category": "activity"`,
        `"action": "x", "action": "alert", "category": "activity"`,
        `"action": "alert", "category": "x", "category": "activity"`,
        `"action": "\\u0061lert", "category": "activity"`,
      ])
        expect(await asked(as, "application", entry(forged)), forged).to.equal("CH004");
      expect(await asked(as, "application", entry(`"action": "alert", "category": "mine"`))).to.be.an("array");
      expect(await count(url, "activity")).to.equal(1);
    }));

  it("raise alerts that are true, of that very rule, whatever they are given", () =>
    inPlace(async ({ as, log, grants, url }) => {
      await log.install(grants);
      for (let n = 0; n < 6; n++)
        await log.activity.recordNow("viewed", {
          subject: "ada",
          outcome: "success",
          occurredAt: new Date(Date.now() - 10_000 + n * 100), // those of one moment would count as one
        });
      for (let n = 0; n < 4; n++) await log.activity.recordNow("sign_in", { subject: "bob", outcome: "failure" });
      const [{ at } = { at: "" }] = await query<{ at: string }>(
        url,
        "select min(occurred_at)::text as at from chronicle.activity",
      );
      const raise = (rule: object, value: string | null = "ada") =>
        asked(
          as,
          "application",
          `select * from chronicle.raise_alerts(${pg.escapeLiteral(JSON.stringify(rule))}, ${pg.escapeLiteral(
            JSON.stringify([{ value, at }]),
          )}, 'n')`,
        );
      const rule = { name: "many", by: "subject", threshold: 5, windowSeconds: 60, filter: { action: ["viewed"] } };
      const odd: readonly object[] = [
        { ...rule, name: null },
        { ...rule, threshold: 0 },
        { ...rule, threshold: -1 },
        { ...rule, threshold: null },
        { ...rule, windowSeconds: -60 },
        { ...rule, windowSeconds: 0 },
        { ...rule, windowSeconds: null },
        { ...rule, by: "actor_id" },
        { ...rule, by: "ip or true --" },
        { ...rule, filter: { "outcome = outcome or a.outcome": "x" } },
        { ...rule, filter: { outcome: null } },
        { ...rule, filter: { action: "viewed" } },
        { ...rule, filter: { subject: "ada" } },
      ];
      for (const one of odd) expect(await raise(one), JSON.stringify(one)).to.equal("CH004");
      for (const one of [
        { ...rule, threshold: 1e30 },
        { ...rule, threshold: 1.5 },
        { ...rule, windowSeconds: 1e300 },
        { ...rule, windowSeconds: "NaN" },
      ])
        expect(await raise(one), JSON.stringify(one)).to.match(/^(22|CH)/);
      for (const [one, value] of [
        [{ ...rule, threshold: 7 }, "ada"],
        [{ ...rule, threshold: 9e18 }, "ada"],
        [rule, "' or true --"],
        [rule, "%s%I$1"],
        [rule, null],
        [{ ...rule, filter: { action: ["' or true --"] } }, "ada"],
        [{ ...rule, filter: { action: ["x') or (true"], outcome: "' or true --" } }, "ada"],
        [{ ...rule, filter: { action: [] } }, "ada"],
        [{ ...rule, filter: { ...rule.filter, outcome: "failure" } }, "ada"],
      ] as const)
        expect(await raise(one, value), JSON.stringify([one, value])).to.deep.equal([]);
      expect(await count(url, "activity where action = 'alert'")).to.equal(0);

      const raised = (rows: unknown) => (rows as unknown[]).length;
      // Another rule of the same name, threshold and window, that counts something else, mutes nothing.
      expect(raised(await raise({ ...rule, filter: {} }))).to.equal(1);
      expect(raised(await raise({ ...rule, by: null }, "anything"))).to.equal(1);
      expect(raised(await raise({ ...rule, by: null }, "something else"))).to.equal(0);
      expect(raised(await raise(rule))).to.equal(1);
      expect(raised(await raise(rule)), "again").to.equal(0);
      const told = await query<{ details: object }>(
        url,
        "select details from chronicle.activity where action = 'alert' order by details::text",
      );
      expect(told.map(({ details }) => details)).to.deep.include.members([
        {
          alert: "many",
          by: "subject",
          value: "ada",
          count: 5,
          threshold: 5,
          windowSeconds: 60,
          filter: { action: ["viewed"] },
        },
        {
          alert: "many",
          by: null,
          value: null,
          count: 5,
          threshold: 5,
          windowSeconds: 60,
          filter: { action: ["viewed"] },
        },
      ]);
    }));

  it("count failures only of somebody or something", () =>
    inPlace(async ({ as, log, grants }) => {
      await log.install(grants);
      for (let n = 0; n < 3; n++) await log.activity.recordNow("sign_in", { subject: "ada", outcome: "failure" });
      const failures = async (subject: string, ips: string) =>
        (
          await as(
            "application",
            `select chronicle.activity_failures('{sign_in}', '-infinity', ${subject}, null, null, ${ips}) as n`,
          )
        )[0]?.["n"];
      expect(await failures("'ada'", "null")).to.equal("3");
      for (const ips of ["null", "'{}'", "'{NULL}'", "'[0:0]={NULL}'", "'[5:5]={1.2.3.4}'"])
        expect(await failures("null", ips), ips).to.equal("0");
    }));

  it("end no entry before its time for a role that does not own the log, whatever the role sets", () =>
    inPlace(async ({ as, log, grants, roles, url }) => {
      await log.install(grants);
      await log.activity.recordNow("tried");
      for (const set of [
        "select 1",
        permitted,
        `set role ${roles.application}`,
        "set timezone = 'Pacific/Kiritimati'; set datestyle = 'German'; set intervalstyle = 'sql_standard'",
        "set transform_null_equals = on; set search_path = pg_temp; create temp table installation as select -1.0 as activity_retention_days",
      ])
        for (const before of ["now()", "'infinity'", "null"])
          for (const most of ["10", "null"])
            await as("application", `${set}; select chronicle.activity_cleanup(${before}, ${most})`);
      expect(await count(url, "activity")).to.equal(1);
    }));

  it("tell of what a lost writer took, and of each once", () =>
    inPlace(async ({ as, log, grants, url }) => {
      await log.install(grants);
      const run = randomUUID();
      await as("application", `select chronicle.activity_alive('${run}', 'n:1', 7, 100)`);
      expect(await asked(as, "reader", `select chronicle.activity_farewell('${run}')`)).to.equal("42501");
      const take =
        "select * from chronicle.take_lost_writers((select array_agg(digest) from chronicle.activity_writers(0)), 'me')";
      expect(await as("application", take)).to.have.length(1);
      expect(await as("application", take)).to.have.length(0);
      const gaps = await query<{ details: object }>(url, "select details from chronicle.activity where action = 'gap'");
      expect(gaps).to.have.length(1);
      expect(gaps[0]?.details).to.deep.include({ lost: { atLeast: 7, atMost: 100 }, node: "n:1" });
      await as("application", `select chronicle.activity_alive('${run}', 'n:1', 3, 100)`);
      expect(await asked(as, "application", take.replace("'me'", "null")), "without saying who tells").to.equal(
        "23502",
      );
      expect(await count(url, "activity_writer"), "nothing is forgotten that was not told").to.equal(1);
    }));
});
