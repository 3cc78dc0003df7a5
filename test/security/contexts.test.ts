import { expect } from "chai";
import fc from "fast-check";
import pg from "pg";
import { rejectionOf } from "../replay/application.js";
import { Guarded } from "./roles.js";

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
      await client.query(`/*chronicle:${text.replaceAll("/*", "")}*/ insert into account (name) values ('${index}')`);
      await client.query("begin");
      await client.query(`set local chronicle.context = ${pg.escapeLiteral(text)}`);
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

  it("reads back as events, and pollutes no prototype", async () => {
    let events = 0;
    for await (const event of guarded.application.log.events()) {
      JSON.stringify(event);
      expect(event.metadata).to.be.an("object");
      events++;
    }
    expect(events).to.equal(2_000);
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
      const error = await rejectionOf(client.query(`/*chronicle:${sent}*/ insert into account (name) values ('x')`));
      expect(error).to.include({ code: "CH001" });
    });
  }
});
