import { expect } from "chai";
import pg from "pg";
import { markdownTable, WrittenTable } from "../written-table.js";
import { guardedLog, type Roles } from "./roles.js";

const rolesTable = new WrittenTable("docs/architecture.md", "roles", "test/security/roles.test.ts");

/** What a try comes to: it is done, or refused with this SQLSTATE. */
type Outcome = "done" | "permission denied" | "append-only" | "only for triggers";

const states: Readonly<Record<string, Outcome>> = {
  "42501": "permission denied",
  CH004: "append-only",
  "0A000": "only for triggers",
};

/** The ways to falsify a log. */
const tries = {
  insert: `insert into chronicle.event (table_name, entity, record_id, record_key, action, version, data, previous)
    values ('public.account', 'Account', '{"id": 99}', '99', 'create', 1, '{"id": 99, "name": "never was"}', '{}')`,
  update: "update chronicle.event set actor_id = 'somebody else'",
  delete: "delete from chronicle.event",
  truncate: "truncate chronicle.event",
  "disable the log's trigger": "alter table chronicle.event disable trigger all",
  "disable capture": "alter table account disable trigger all",
  "drop capture": `drop trigger " chronicle insert" on account`,
  "switch triggers off in the session": "set session_replication_role = replica",
  "change how a table is captured": "update chronicle.tracked set actions = '{}'",
  "replace the capture function":
    "create or replace function chronicle.capture_1() returns trigger language plpgsql as 'begin return null; end'",
  "append an event of its own": `select chronicle.append(array[row(1, 'public.account', null, '{"id": 99, "name": "never was"}')::chronicle.change], 'baseline')`,
  "call capture by hand": "select chronicle.capture_1()",
  "capture a table of its own in the place of the tracked one": `create temp table mine (id integer, name text);
    create trigger forge after insert on mine referencing new table as new_rows for each statement execute function chronicle.capture_1()`,
  "empty the activity log": "delete from chronicle.activity",
  "move the positions": "select setval('chronicle.event_position_seq', 1)",
  "make an object in the log's schema": "create table chronicle.mine ()",
  "read events": "select from chronicle.event",
  "read what is sensitive": "select from chronicle.event_sensitive",
} as const;

type Try = keyof typeof tries;
/** The application's role may call this: it writes nothing where triggers capture. */
const flushed = `select chronicle.flush('{"exclusive": false, "locks": null, "refuse": false, "contexts": [{"actor": {"type": "user", "id": "forged"}}],
  "runs": [{"table": "public.account", "keys": [[99]], "first": "insert", "context": 0}]}')`;

const denied = Object.fromEntries(Object.keys(tries).map((name) => [name, "permission denied"])) as Record<
  Try,
  Outcome
>;

/** What each role comes to. */
const expected: Readonly<Record<keyof Roles, Readonly<Record<Try, Outcome>>>> = {
  application: denied,
  reader: { ...denied, "read events": "done" },
  stranger: denied,
  owner: {
    ...denied,
    insert: "done",
    update: "append-only",
    delete: "append-only",
    truncate: "append-only",
    "disable the log's trigger": "done",
    "disable capture": "done",
    "drop capture": "done",
    "change how a table is captured": "done",
    "replace the capture function": "done",
    "append an event of its own": "done",
    "call capture by hand": "only for triggers",
    "capture a table of its own in the place of the tracked one": "done",
    "move the positions": "done",
    "make an object in the log's schema": "done",
    "empty the activity log": "append-only",
    "read events": "done",
    "read what is sensitive": "done",
  },
};

/** The role's columns of the table, with their headings. */
const headings: Readonly<Record<keyof Roles, string>> = {
  application: "the application's",
  reader: "a reader's",
  stranger: "any other",
  owner: "the owner's",
};

describe("roles and the log", () => {
  const guarded = guardedLog();
  const found = new Map<string, string>();

  for (const [role, outcomes] of Object.entries(expected) as [keyof Roles, Record<Try, Outcome>][]) {
    for (const [name, outcome] of Object.entries(outcomes) as [Try, Outcome][]) {
      it(`${role}: ${name} is ${outcome}`, async () => {
        const client = await guarded().connect(role);
        await client.query("begin");
        const came = await outcomeOf(client, tries[name]);
        await client.query("rollback");
        found.set(`${role} ${name}`, came);
        expect(came).to.equal(outcome);
      });
    }
  }

  it("are what docs/architecture.md says that was found (UPDATE_DOCS=1 writes it)", async function () {
    const roles = Object.keys(headings);
    if (found.size < roles.length * Object.keys(tries).length) this.skip();
    const made = markdownTable([
      ["what is tried", ...Object.values(headings)],
      ...Object.keys(tries).map((name) => [name, ...roles.map((role) => found.get(`${role} ${name}`) ?? "not tried")]),
    ]);
    if (process.env["UPDATE_DOCS"] !== undefined) await rolesTable.print(made);
    expect(await rolesTable.printed()).to.equal(made);
  });

  it("lets the application's role flush, to no effect where triggers capture", async () => {
    const events = await guarded().application.countEvents();
    const client = await guarded().connect("application");
    await client.query(flushed);
    expect(await guarded().application.countEvents()).to.equal(events);
  });

  it("records what the application's role writes, though it may not read or write the log", async () => {
    const client = await guarded().connect("application");
    await client.query("update account set name = 'Grace', tax_number = '13'");
    const [event] = await guarded().application.query("select * from chronicle.event order by position desc limit 1");
    expect(event).to.include({ action: "update", record_key: "1" });
    expect(event?.["data"], "what the event shows").to.deep.equal({ name: "Grace" });
    expect(
      await guarded().application.value("select data from chronicle.event_sensitive order by position desc limit 1"),
    ).to.deep.equal({
      tax_number: "13",
    });
  });

  it("believes who the application's role says it is: it can name any actor, on its own new events only", async () => {
    const client = await guarded().connect("application");
    const said = Buffer.from(JSON.stringify({ actor: { type: "user", id: "the auditor" } })).toString("base64");
    await client.query(`update account set name = 'Grace again';/*chronicle:${said}*/`);
    await client.query("begin");
    await client.query(
      "select set_config('chronicle.context', extract(epoch from transaction_timestamp()) || ':' || $1, true)",
      [said],
    );
    await client.query("insert into account (name) values ('Edsger')");
    await client.query("commit");
    const actors = await guarded().application.query("select actor_id from chronicle.event order by position");
    expect(actors.map(({ actor_id }) => actor_id)).to.deep.equal([null, null, "the auditor", "the auditor"]);
  });
});

async function outcomeOf(client: pg.Client, sql: string): Promise<string> {
  try {
    await client.query(sql);
    return "done";
  } catch (error) {
    const { code, message } = error as pg.DatabaseError;
    return states[code ?? ""] ?? `${code} ${message}`;
  }
}
