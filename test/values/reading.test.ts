import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { track, withRequestContext } from "../../src/index.js";
import { application, rejectionOf } from "../replay/application.js";

interface Paper {
  id: string;
  doc: unknown;
  text: unknown;
  exact: string | null;
  proto: unknown;
  maker: string | null;
}

/** Its columns have the names of what objects inherit. */
const paper = track(
  new EntitySchema<Paper>({
    name: "Paper",
    tableName: "paper",
    columns: {
      id: { type: "bigint", primary: true },
      doc: { type: "jsonb", nullable: true },
      text: { type: "json", nullable: true },
      exact: { type: "numeric", nullable: true },
      proto: { type: "jsonb", nullable: true, name: "__proto__" },
      maker: { type: "text", nullable: true, name: "constructor" },
    },
  }),
);

const polluting =
  '{"a": {"__proto__": null}, "__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 2}}}';

describe("reading values", () => {
  const app = application({ entities: [paper] });

  const insert = (row: Record<string, string>) =>
    app.dataSource.query(
      `insert into paper (${Object.keys(row)
        .map((name) => `"${name}"`)
        .join(", ")}) values (${Object.keys(row)
        .map((_, index) => `$${index + 1}`)
        .join(", ")})`,
      Object.values(row),
    );

  function expectClean(): void {
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
  }

  it("never touches Object.prototype, and gives such keys as they are", async () => {
    await withRequestContext({ metadata: JSON.parse(polluting) as Record<string, unknown> }, () =>
      insert({ id: "1", doc: polluting, text: polluting, ["__proto__"]: polluting, constructor: "made" }),
    );
    await app.dataSource.query(`update paper set "__proto__" = '{"polluted": 3}', doc = '{}' where id = 1`);
    const [created, updated] = await app.log.history<Record<string, unknown>>(paper, "1");
    for (const column of ["doc", "text", "__proto__"])
      expect(JSON.stringify(Object.getOwnPropertyDescriptor(created?.data, column)?.value)).to.equal(
        JSON.stringify(JSON.parse(polluting)),
      );
    expect(Object.getOwnPropertyDescriptor(updated?.previous, "__proto__")?.value).to.have.own.property("constructor");
    expect(JSON.stringify(created?.metadata)).to.equal(JSON.stringify(JSON.parse(polluting)));
    const changes = await app.log.changes(paper, "1", { from: created!.position });
    expect(changes.map(({ column }) => column)).to.have.members(["doc", "__proto__"]);
    expect((await app.log.at(paper, "1", created!.position))?.maker).to.equal("made");
    for await (const event of app.log.events()) JSON.stringify(event);
    await app.wipe();
    await app.log.replay();
    expect((await app.log.verify()).equal).to.equal(true);
    expectClean();
  });

  it("gives int8 and numeric with every digit", async () => {
    await insert({ id: "9007199254740993", exact: "12345678901234567890.10" });
    const [event] = await app.log.history<Paper>(paper, "9007199254740993");
    expect(event?.recordId).to.deep.equal({ id: "9007199254740993" });
    expect(event?.data.exact).to.equal("12345678901234567890.10");
    const [change] = await app.log
      .changes(paper, "9007199254740993")
      .then((all) => all.filter(({ column }) => column === "exact"));
    expect(change?.after).to.equal("12345678901234567890.10");
    expect((await app.log.at(paper, "9007199254740993", event!.position))?.exact).to.equal("12345678901234567890.10");
  });

  it("keeps a document of 8 MB", async function () {
    this.timeout(120_000);
    const list = Array.from({ length: 1_000 }, (_, at) => at);
    const document = JSON.stringify({ list, text: 'é\\"'.repeat(1_500_000) });
    expect(Buffer.byteLength(document)).to.be.greaterThan(8_000_000);
    await insert({ id: "1", doc: document });
    const [event] = await app.log.history<Paper>(paper, "1");
    expect(JSON.stringify(event?.data.doc) === document).to.equal(true);
    const [{ sum } = {}] = await app.sql("select md5(doc::text) as sum from paper");
    await app.wipe();
    await app.log.replay();
    expect((await app.sql("select md5(doc::text) as sum from paper"))[0]?.sum).to.equal(sum);
  });

  it("keeps documents 5,000 deep", async () => {
    const document = "[".repeat(5_000) + "]".repeat(5_000);
    await insert({ id: "1", doc: document, text: ` ${document}` });
    await app.dataSource.query("update paper set doc = null");
    const [created] = await app.log.history<Paper>(paper, "1");
    expect(depth(created?.data.doc)).to.equal(5_000);
    expect(depth(created?.data.text)).to.equal(5_000);
    await app.dataSource.query("update paper set doc = text::jsonb");
    const rows = await app.sql("select id, md5(doc::text), md5(text::text) from paper");
    await app.wipe();
    await app.log.replay();
    expect(await app.sql("select id, md5(doc::text), md5(text::text) from paper")).to.deep.equal(rows);
    expect((await app.log.verify()).equal).to.equal(true);
  });

  it("refuses a document beyond the limit with a typed error, and no write", async function () {
    this.timeout(60_000);
    const doc = JSON.stringify(["x".repeat(17_000_000)]);
    const error = await rejectionOf(insert({ id: "1", doc }));
    expect(error.code).to.equal("LIMIT_EXCEEDED");
    expect(error.message.length).to.be.lessThan(1_000);
    expect(await app.sql("select from paper")).to.deep.equal([]);
  });

  it("has for a lone surrogate what the table has", async () => {
    await insert({ id: "1", constructor: "lone \ud800 surrogate" });
    const [event] = await app.log.history<Record<string, unknown>>(paper, "1");
    const [row] = await app.sql<{ maker: string }>(`select constructor as maker from paper`);
    expect(event?.data["constructor"]).to.equal(row?.maker);
    const inContext = await rejectionOf(
      (async () => withRequestContext({ metadata: { why: "\ud800" } }, () => insert({ id: "2" })))(),
    );
    expect(inContext.code).to.equal("CONTEXT_INVALID");
  });
});

function depth(value: unknown): number {
  let levels = 0;
  for (let part = value; Array.isArray(part); part = part[0]) levels++;
  return levels;
}
