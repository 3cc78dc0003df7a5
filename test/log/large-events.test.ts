import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import type { RecordedEvent } from "../../src/index.js";
import { assertReplayEqualsLive } from "../../src/testing/index.js";
import { chronicle, Modules } from "../cli/process.js";
import { application, rejectionOf } from "../replay/application.js";
import { Letter } from "./letter.js";

const numbers = (number: string, count: number) =>
  `(select jsonb_build_object('n', jsonb_agg(${number})) from generate_series(1, ${count}) g)`;

/** SQL for JSON that has a few kB as it is stored and more than 128 MB as text, or cannot be looked through. */
const poisons = {
  "large numbers": numbers("'1e131071'::jsonb", 1_100),
  "negative numbers deep inside": numbers(`jsonb_build_object('k' || g, '[-1e131071]'::jsonb)`, 1_100),
  "numbers close to zero": numbers("'1e-16383'::jsonb", 8_500),
  "zeros with a scale": numbers("'0e-16383'::jsonb", 8_500),
  "ones with a scale": numbers("to_jsonb(round(1, 16383))", 8_500),
  "arrays in arrays": `jsonb_build_object('a', (repeat('[', 14000) || repeat(']', 14000))::jsonb)`,
};

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`a row that is small in the table and large as text, under capture by the ${capture}`, function () {
    this.timeout(60_000);
    const app = application({ entities: [Letter], capture });

    for (const [what, poison] of Object.entries(poisons)) {
      it(`is refused with ${what}, as a row and as an old one`, async () => {
        const written = async (set: string) =>
          app.dataSource.transaction(async (manager) => {
            const { id } = await manager.save(Letter, { doc: { n: 1 } });
            await manager.query(`update letter set ${set} where id = ${id}`);
          });
        expect(await rejectionOf(written(`doc = ${poison}`))).to.have.property("code", "LIMIT_EXCEEDED");
        expect(await app.sql("select from letter")).to.deep.equal([]);
        await app.sql("insert into letter (doc) values ('{}')");
        await app.spoil(`update letter set doc = ${poison}`);
        if (capture === "trigger")
          expect(await rejectionOf(app.dataSource.query("delete from letter"))).to.have.property(
            "code",
            "LIMIT_EXCEEDED",
          );
      });
    }

    it("is refused with an array of numbers", async () => {
      const work = app.dataSource.transaction(async (manager) => {
        const { id } = await manager.save(Letter, { doc: null });
        await manager.query(`update letter set amounts = array_fill(1e131071, array[1100]) where id = ${id}`);
      });
      expect(await rejectionOf(work)).to.have.property("code", "LIMIT_EXCEEDED");
    });

    it("is recorded as long as it is within the limit, also with numbers that long", async () => {
      const list = `(select jsonb_agg('1e131071'::jsonb) from generate_series(1, 100))`;
      await app.dataSource.transaction(async (manager) => {
        await manager.save(Letter, { doc: [1] });
        await manager.query(`update letter set doc = ${list}`);
      });
      const last = (await app.events()).at(-1);
      expect((last?.data.doc as string[] | undefined)?.map((number) => number.length)).to.deep.equal(
        Array(100).fill(131_072),
      );
    });
  });
}

describe("a request context that is small as it is sent and large as text", function () {
  this.timeout(60_000);
  const app = application({ entities: [Letter] });
  const noted = application({ entities: [Letter], capture: "subscriber" });

  const metadata = {
    "large numbers": `'{"n": [' || (select string_agg('1e131071', ',') from generate_series(1, 10000)) || ']}'`,
    "zeros with a scale": `'{"n": [' || (select string_agg('0e-16383', ',') from generate_series(1, 10000)) || ']}'`,
    "arrays in arrays": `'{"n": ' || repeat('[', 14000) || repeat(']', 14000) || '}'`,
  };
  for (const [what, text] of Object.entries(metadata)) {
    it(`is not taken with ${what}, and the write goes on`, async () => {
      const encoded = `translate(encode(convert_to('{"metadata": ' || ${text} || '}', 'UTF8'), 'base64'), E'\\n', '')`;
      await app.sql(`begin; select set_config('chronicle.context', extract(epoch from now()) || ':' || ${encoded}, true);
        insert into letter (doc) values ('{}'); commit`);
      await noted.spoil("insert into letter (doc) values ('{}')");
      await noted.sql(`select chronicle.flush(jsonb_build_object('exclusive', false, 'refuse', false, 'contexts',
        jsonb_build_array(jsonb_build_object('metadata', (${text})::jsonb)), 'runs', jsonb_build_array(jsonb_build_object(
        'table', 'public.letter', 'first', 'insert', 'context', 0, 'keys', '[[1]]'::jsonb))))`);
      for (const events of [await app.events(), await noted.events()])
        expect(events.map((event) => event.metadata)).to.deep.equal([
          { chronicle: "the request context could not be read" },
        ]);
    });
  }
});

describe("an event that was put there too large to be read", function () {
  this.timeout(120_000);
  const app = application({ entities: [Letter] });

  const parts: readonly (readonly [part: string, sql: string])[] = [
    ["data", poisons["large numbers"]],
    ["data", poisons["arrays in arrays"]],
    ["previous", poisons["zeros with a scale"]],
    ["metadata", poisons["ones with a scale"]],
    ["record_id", poisons["numbers close to zero"]],
    ["actor_name", "repeat('x', 140000000)"],
  ];

  /** Copies an event with another part, past the library; the number of the letter is what tells the events apart. */
  async function put(part: string, sql: string): Promise<void> {
    const columns = (
      await app.sql<{ name: string }>(
        `select attname as name from pg_attribute where attrelid = 'chronicle.event'::regclass and attnum > 0
         and not attisdropped and attname <> 'position'`,
      )
    ).map(({ name }) => name);
    await app.sql(`insert into chronicle.event (${columns.join(", ")})
      select ${columns.map((name) => (name === part ? sql : name)).join(", ")} from chronicle.event order by position limit 1`);
  }

  async function collected(events: AsyncIterable<RecordedEvent>, count: number): Promise<RecordedEvent[]> {
    const all: RecordedEvent[] = [];
    for await (const event of events) if (all.push(event) === count) break;
    return all;
  }

  it("is given without what is large, by every reader, and the reading goes on", async () => {
    await app.sql("insert into letter (doc) values ('{\"first\": 1}')");
    for (const [part, poison] of parts) await put(part, poison);
    await app.sql("insert into letter (doc) values ('{\"last\": 1}')");
    const count = parts.length + 2;
    const readings = {
      events: await app.events(),
      "events, newest first": (await app.events({ order: "desc" })).reverse(),
      tail: await collected(app.log.tail({ after: 0n }), count),
    };
    for (const [reader, events] of Object.entries(readings)) {
      expect(events, reader).to.have.length(count);
      const [first, ...rest] = events;
      const last = rest.pop();
      expect([first?.data.doc, last?.data.doc], reader).to.deep.equal([{ first: 1 }, { last: 1 }]);
      expect(
        [first, last].map((event) => "tooLarge" in (event ?? {})),
        reader,
      ).to.deep.equal([false, false]);
      for (const event of rest) {
        expect(event, reader).to.deep.include({ tooLarge: true, entity: "Letter", action: "create", data: {} });
        expect(event, reader).to.deep.include({ recordId: {}, previous: {}, metadata: {} });
        expect(JSON.stringify(event).length, reader).to.be.lessThan(1_000);
      }
    }
    expect(await app.log.history(Letter, 1)).to.have.length(count - 1);
    expect(await collected(app.log.events({ limit: 3 }), 10)).to.have.length(3);

    const modules = await Modules.make();
    try {
      const module = await modules.write("letters.mjs", lettersModule);
      const run = (...args: string[]) => chronicle(["-d", module, ...args], { url: app.url, cwd: modules.folder });
      for (const file of ["all.jsonl", "all.csv"]) {
        expect((await run("events", "--export", file)).stderr).to.equal("");
        const lines = (await readFile(join(modules.folder, file), "utf8")).trim().split("\n");
        expect(lines, file).to.have.length(file.endsWith(".csv") ? count + 1 : count);
        expect(lines[2], file).to.match(file.endsWith(".csv") ? /,true$/ : /"tooLarge":true/);
      }
    } finally {
      await modules.remove();
    }
  });

  it("is folded and compared all the same", async () => {
    await app.sql("insert into letter (doc) values ('{}')");
    await app.spoil(`update letter set doc = ${poisons["zeros with a scale"]}`);
    const image = `jsonb_build_object('id', 1, 'amounts', null, 'doc', ${poisons["zeros with a scale"]})`;
    await app.spoil(`insert into chronicle.event (table_name, entity, record_id, record_key, action, version, data, previous)
      select table_name, entity, record_id, record_key, 'update', version, ${image}, '{}' from chronicle.event`);
    await assertReplayEqualsLive(app.dataSource);
    await app.spoil("update letter set doc = '[]'");
    expect((await rejectionOf(assertReplayEqualsLive(app.dataSource))).message).to.include("different in doc");
    await app.log.replay();
    await assertReplayEqualsLive(app.dataSource);
  });

  it("is written to a file too if it is nested more deeply than JSON can be written", async () => {
    await app.sql(`insert into letter (doc) values ((repeat('[', 8000) || repeat(']', 8000))::jsonb)`);
    const [event] = await app.events();
    expect(event).to.not.have.property("tooLarge");
    const modules = await Modules.make();
    try {
      const module = await modules.write("letters.mjs", lettersModule);
      for (const args of [["events", "--export", "deep.jsonl"], ["events"], ["history", "Letter", "1"]]) {
        const { code, stderr } = await chronicle(["-d", module, ...args], { url: app.url, cwd: modules.folder });
        expect([code, stderr], args.join(" ")).to.deep.equal([0, ""]);
      }
      expect(await readFile(join(modules.folder, "deep.jsonl"), "utf8")).to.include("[nested too deeply]");
    } finally {
      await modules.remove();
    }
  });
});

describe("reading events that are large together", function () {
  this.timeout(120_000);
  const app = application({ entities: [Letter] });

  it("takes little memory, forwards, backwards, by a tail and to a file", async () => {
    const count = 32;
    await app.sql(`insert into letter (doc)
      select jsonb_build_object('text', repeat(md5(g::text), 150000)) from generate_series(1, ${count}) g`);
    const script = join(ROOT, "dist/test/log/reading-process.js");
    const { stdout } = await promisify(execFile)(process.execPath, ["--max-old-space-size=128", script, app.url]);
    expect(JSON.parse(stdout)).to.deep.equal({ asc: count, desc: count, tail: count, entries: count, exported: count });
  });
});

const lettersModule = `
  const Letter = track(new EntitySchema({ name: "Letter", columns: {
    id: { type: "integer", primary: true, generated: true },
    doc: { type: "jsonb", nullable: true },
    amounts: { type: "numeric", array: true, nullable: true },
  } }));
  export default new DataSource(withEventLog({ ...options, entities: [Letter] }));
`;
