import { expect } from "chai";
import { createDatabase } from "../database.js";
import { differencesOf, type LiveRows } from "../live-rows.js";
import { Account, Ledger, Transfer } from "./ledger.js";

describe("partitions and retention under load", function () {
  this.timeout(300_000);

  it("hold up no writer, tear no transaction and leave every later point what it was", async () => {
    const database = await createDatabase();
    const ledger = await Ledger.open(database.url, { accounts: 40, poolSize: 20 });
    const { dataSource, log } = ledger;
    const sum = await ledger.sum();
    const failures: string[] = [];
    let [commits, stopped] = [0, false];
    const write = async (writer: number) => {
      while (!stopped) {
        const [a = 1, b = 2] = [1 + Math.floor(Math.random() * 10), 11 + (writer % 8)].sort((x, y) => x - y);
        try {
          await dataSource.transaction(writer % 3 === 0 ? "REPEATABLE READ" : "READ COMMITTED", async (manager) => {
            // At REPEATABLE READ, rows of its own: another's change would be an error of Postgres's, not of ours.
            const [from, to] = writer % 3 === 0 ? [21 + writer, 22 + writer] : [a, b];
            await manager.increment(Account, { id: from }, "balance", -1);
            await manager.increment(Account, { id: to }, "balance", 1);
            await manager.insert(Transfer, { from: { id: from }, to: { id: to }, amount: 1 });
          });
          commits++;
        } catch (error) {
          failures.push(`writer ${writer}: ${String(error)}`);
        }
      }
    };
    const written = async (more: number) => {
      const until = commits + more;
      while (commits < until && failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    // Those at REPEATABLE READ, 0, 3, … 15, write rows 21 and 22, 24 and 25, … 36 and 37; the others 1 to 18.
    const work = Array.from({ length: 16 }, (_, writer) => write(writer));
    const points: { bookmark: string }[] = [];
    try {
      const marked = async () => {
        await written(40);
        points.push({ bookmark: (await log.bookmark(`mark ${points.length}`)).name });
        await written(40);
      };
      for (let part = 0; part < 3; part++) {
        await marked();
        await log.partition();
      }
      await marked();
      const since = await timeOf(2);
      const before: LiveRows[] = [];
      for (const point of points.slice(2)) before.push(await shadowed(point));
      const { dropped } = await log.retain({ since });
      expect(dropped).to.deep.equal(["event_0", "event_1"]);
      await written(40);
      for (const [index, point] of points.slice(2).entries())
        expect(differencesOf(await shadowed(point), before[index] ?? new Map()), JSON.stringify(point)).to.deep.equal(
          [],
        );
    } finally {
      stopped = true;
      await Promise.all(work);
    }
    expect(failures).to.deep.equal([]);
    expect(commits).to.be.greaterThan(300);
    expect(await ledger.sum()).to.equal(sum);
    const { differences } = await log.verify();
    expect(differences).to.deep.equal([]);
    await log.replay(points[2]);
    expect(await ledger.sum(), "at the first point behind what was dropped").to.equal(sum);
    await ledger.close();
    await database.drop();

    /** When the first event of a partition was recorded. */
    async function timeOf(partition: number): Promise<Date> {
      const [row] = await dataSource.query<{ at: Date }[]>(
        `select min(occurred_at) as at from chronicle.event_${partition}`,
      );
      return new Date((row?.at ?? expect.fail("no event")).getTime() + 1);
    }

    /** The tables at a point, as a shadow has them, told past the library. */
    async function shadowed(point: { bookmark: string }): Promise<LiveRows> {
      const past = await log.shadow(point, { schema: "past" });
      const rows = new Map<string, readonly string[]>();
      for (const table of ["account", "transfer"]) {
        const found = await dataSource.query<{ row: string }[]>(
          `select to_jsonb(t)::text as row from past.${table} t order by id`,
        );
        rows.set(
          table,
          found.map(({ row }) => row),
        );
      }
      await past.drop();
      return rows;
    }
  });
});
