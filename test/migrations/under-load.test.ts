import { expect } from "chai";
import pg from "pg";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { Application } from "../replay/application.js";

function ledger(columns: Readonly<Record<string, "text" | "uuid" | "integer">>): new () => object {
  class Entry {}
  PrimaryColumn("integer")(Entry.prototype, "id");
  for (const [name, type] of Object.entries(columns)) Column(type, { nullable: true })(Entry.prototype, name);
  Entity({ name: "entry" })(Entry);
  Tracked({ name: "Entry" })(Entry);
  return Entry;
}

const rows = 12_000; // several batches
const writers = 8;

describe("an install that records rewritten values", function () {
  this.timeout(120_000);
  const app = new Application({ entities: [ledger({ amount: "text" })] });
  before(() => app.start());
  after(() => app.stop());

  it("is right beside writers that change, delete and insert the same rows, and goes on after an abort", async () => {
    await app.sql(`insert into entry select n, n::text from generate_series(1, ${rows}) n`);
    await app.sql(`alter table entry alter column amount type integer using amount::integer * 100;
      alter table entry add column token uuid default gen_random_uuid()`);
    const { log } = await app.open({ entities: [ledger({ amount: "integer", token: "uuid" })] });
    let written = 0;
    let isOver = false;
    const writer = async (seed: number) => {
      const client = new pg.Client({ connectionString: app.url });
      client.on("error", () => undefined);
      await client.connect();
      for (let turn = seed; !isOver; turn += writers) {
        const id = 1 + ((turn * 7919) % rows);
        // One row a transaction, so that writers never deadlock with one another.
        await client.query(
          turn % 3 === 0
            ? `update entry set token = gen_random_uuid() where id = ${id}`
            : turn % 3 === 1
              ? `begin; update entry set amount = amount + 1 where id = ${id}; delete from entry where id = ${id} and id % 5 = 0; commit`
              : `insert into entry (id, amount) values (${rows + turn}, 1) on conflict do nothing`,
        );
        written++;
      }
      await client.end();
    };
    const work = Promise.all(Array.from({ length: writers }, (_, seed) => writer(seed + 1)));
    const abort = new AbortController();
    const compared: number[] = [];
    const stop = ({ done }: { done: number }) => {
      compared.push(done);
      abort.abort();
    };
    const aborted = await log
      .install({ signal: abort.signal, onProgress: stop })
      .catch((error: { code: string }) => error.code);
    expect(aborted).to.equal("REPLAY_ABORTED");
    expect(await log.verify().catch((error: { code: string }) => error.code)).to.equal("INSTALL_STALE");
    expect((await log.status()).findings.map(({ message }) => message).join()).to.include("not recorded yet");
    const report = await log.install({ onProgress: ({ done }) => compared.push(done) });
    expect(report.schemaChanges).to.have.length(1);
    expect(report.schemaChanges[0]?.recordedRows).to.be.at.least(rows / 2);
    const during = written;
    isOver = true;
    await work;
    expect(during, "transactions beside the install").to.be.greaterThan(20);
    expect(Math.max(...compared)).to.be.at.least(rows / 2);
    expect(await log.verify()).to.include({ equal: true });
    expect((await log.replay()).rows).to.include({ inserted: 0, updated: 0, deleted: 0 });
  });
});
