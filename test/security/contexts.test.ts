import { expect } from "chai";
import fc from "fast-check";
import pg from "pg";
import { withRequestContext } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { Guarded } from "./roles.js";
import { encodedActor, WriteDesk, type WriteForm, writeForms } from "./write-forms.js";

const base64 = (value: fc.Arbitrary<unknown>) =>
  value.map((given) => Buffer.from(JSON.stringify(given) ?? "").toString("base64"));

const anything = fc.anything({ withNullPrototype: false, maxDepth: 3 }).filter((value) => {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
});

/** A context as no client of ours would send it. */
const malformed: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  base64(anything),
  base64(
    fc.record(
      {
        actor: anything,
        tenant: anything,
        metadata: anything,
        correlationId: anything,
        causationId: anything,
        actionName: anything,
      },
      { requiredKeys: [] },
    ),
  ),
  base64(fc.record({ actor: fc.record({ type: anything, id: anything, name: anything }, { requiredKeys: [] }) })),
  fc.constantFrom(
    ...[
      String.raw`{"metadata": {"nul": "\u0000"}}`,
      String.raw`{"metadata": {"half": "\ud800"}}`,
      `{"metadata": ${"[".repeat(400)}${"]".repeat(400)}}`,
      `{"metadata": {"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}}`,
      `{"metadata": {"n": 1e400}, "tenant": 1e999}`,
      `{"actor": {"type": {"a": 1}, "id": ["x"]}}`,
      `{"metadata": null, "actor": null}`,
      "[]",
      "null",
      `"text"`,
      "1",
      "",
    ].map((text) => Buffer.from(text).toString("base64")),
  ),
  fc.nat(3000).map((length) => Buffer.alloc(length, "{").toString("base64")),
);

describe("a context that nobody of ours sent", () => {
  let guarded: Guarded;
  let client: pg.Client;
  before(async () => {
    guarded = await Guarded.start();
    client = await guarded.connect("application");
  });
  after(() => guarded?.stop());

  it("never fails the write, and never changes what is recorded of the row (1,000 contexts)", async function () {
    this.timeout(120_000);
    const texts = fc
      .sample(malformed, { numRuns: 1_000, seed: 5 })
      .map((text) => text.replaceAll("*/", "").replaceAll("\0", ""));
    for (const [index, text] of texts.entries()) {
      // A comment that is opened inside a comment has to be closed as well: PostgreSQL nests them.
      await client.query(`insert into account (name) values ('${index}');/*chronicle:${text.replaceAll("/*", "")}*/`);
      await client.query("begin");
      await client.query(
        "select set_config('chronicle.context', extract(epoch from transaction_timestamp()) || ':' || $1, true)",
        [text],
      );
      await client.query(`update account set name = name || '!' where name = '${index}'`);
      await client.query("commit");
    }
    const [counts] = await guarded.application.query(
      `select count(*) filter (where action = 'create') as created, count(*) filter (where action = 'update') as updated,
         count(*) filter (where metadata ->> 'chronicle' = 'the request context could not be read') as unread,
         count(*) filter (where jsonb_typeof(metadata) <> 'object') as odd,
         count(*) filter (where (action = 'create' and data ->> 'name' !~ '^[0-9]+$') or (action = 'update' and data ->> 'name' !~ '^[0-9]+!$')) as wrong
       from chronicle.event`,
    );
    expect(counts).to.include({ created: "1000", updated: "1000", odd: "0", wrong: "0" });
    expect(Number(counts?.["unread"])).to.be.greaterThan(500);
  });

  it("is none where it does not stand at the very end of the message", async () => {
    const comment = `/*chronicle:${encodedActor("Mallory")}*/`;
    for (const text of [
      `${comment} insert into account (name) values ('in front')`,
      `insert into account (name) values ('${comment}')`,
      `insert into account (name) select $$;${comment}$$`,
      `insert into account (name) values ('in the middle');${comment} select 1`,
      `insert into account (name) values ('a blank behind');${comment} `,
      `insert into account (name) values ('a comment behind');${comment}/**/`,
    ])
      await client.query(text);
    const actors = await guarded.application.query(
      "select distinct actor_id, metadata from (select * from chronicle.event order by position desc limit 6) e",
    );
    expect(actors).to.deep.equal([{ actor_id: null, metadata: {} }]);
  });

  it("reads back as events, and pollutes no prototype", async () => {
    let events = 0;
    for await (const event of guarded.application.log.events()) {
      JSON.stringify(event);
      expect(event.metadata).to.be.an("object");
      events++;
    }
    expect(events).to.equal(2_006);
    expect({}).to.not.have.property("polluted");
  });
});

describe("requireActor", () => {
  let guarded: Guarded;
  before(async () => (guarded = await Guarded.start({ requireActor: true })));
  after(() => guarded?.stop());

  for (const context of [
    "null",
    `{"actor": null}`,
    `{"actor": {}}`,
    `{"actor": "me"}`,
    `{"actor": {"type": "user"}}`,
    `{"actor": {"id": "1"}}`,
    `{"actor": {"type": "", "id": "1"}}`,
  ]) {
    it(`is not satisfied by ${context}`, async () => {
      const client = await guarded.connect("application");
      const sent = Buffer.from(context).toString("base64");
      const error = await rejectionOf(client.query(`insert into account (name) values ('x');/*chronicle:${sent}*/`));
      expect(error).to.include({ code: "CH001" });
    });
  }
});

/** What PostgreSQL before 18 keeps of a message: all but comments behind the last semicolon, if that is none in a comment. */
function keptOf(message: string): string {
  const [, kept = message] = /^([^]*;)\/\*chronicle:[^*]*\*\/$/.exec(message) ?? [];
  return kept.slice(kept.lastIndexOf("\n") + 1).includes("--") ? message : kept;
}

describe("who and why", function () {
  this.timeout(60_000);
  let desk: WriteDesk;
  before(async () => (desk = await WriteDesk.start()));
  after(() => desk?.application.stop());
  beforeEach(() => desk.sent.splice(0));

  const ada = { actor: { type: "user", id: "Ada" } };
  /** Of her context, as it is sent. */
  const start = encodedActor("Ada").slice(0, 44);
  const sizes = {
    "a context": ada,
    "a large context": { ...ada, metadata: { long: "x".repeat(3_000) } },
    "no context": undefined,
  };
  const injections = {
    "as it is": (value: string) => `set chronicle.context = '${value}'`,
    "as a setting of ours": (value: string) =>
      `select set_config(name, extract(epoch from transaction_timestamp()) || ':${value}', false)
       from unnest(array['chronicle.context', 'chronicle.statement']) name`,
  };

  for (const inTransaction of [false, true])
    for (const [size, context] of Object.entries(sizes))
      for (const [name, form] of Object.entries(writeForms)) {
        const where = `${name}${inTransaction ? " in a transaction" : ""}`;
        const write = () =>
          context === undefined
            ? desk.write(form, { inTransaction })
            : withRequestContext(context, () => desk.write(form, { inTransaction }));
        const actor = context === undefined ? null : "Ada";

        it(`is that of the request with ${where}, with ${size}, and no statistics of statements keep it`, async () => {
          expect(await write()).to.deep.equal([actor]);
          for (const text of desk.sent) expect(keptOf(text), "what is kept").to.not.include(start);
        });

        for (const [how, injection] of Object.entries(injections)) {
          it(`is not what was set for the session ${how}, with ${where}, with ${size}`, async () => {
            await desk.withClient((client) => client.query(injection(encodedActor("Mallory"))));
            expect(await write()).to.deep.equal([actor]);
          });
        }
      }

  it("costs no message more, but for large contexts and named statements that somebody wrote", async () => {
    const insert: WriteForm = (client) => client.query("insert into item (name) values ('a')");
    await withRequestContext(ada, () => desk.write(insert, { inTransaction: false }));
    await desk.write(writeForms["a named statement"]!, { inTransaction: false });
    // A transaction of ours would begin with a message too; a COMMIT alone is what an earlier test left on the way.
    expect(desk.sent.filter((text) => text !== "commit")).to.have.length(2);
  });
});
