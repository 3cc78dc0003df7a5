import { expect } from "chai";
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DataSource, Column, Entity, PrimaryColumn } from "typeorm";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { eventLog, Tracked } from "../../src/index.js";
import { differencesOf, readLiveRows } from "../live-rows.js";
import { newDataSource } from "../tracked-application.js";

@Entity()
@Tracked()
class Barrel {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") litres!: number;
}

/** A server's folder of programs that has pg_dump too; those that npm has lack it. */
function withDump(): string | undefined {
  const system = "/usr/lib/postgresql";
  const versions = existsSync(system) ? readdirSync(system) : [];
  const folders = [process.env["PG_BIN"] ?? "", ...versions.map((version) => join(system, version, "bin"))];
  return folders.find((folder) => ["pg_dump", "pg_restore", "initdb"].every((name) => existsSync(join(folder, name))));
}

describe("a database that is dumped and restored into another cluster (by pg_dump, where the machine has one)", function () {
  this.timeout(120_000);
  const servers: RunningPostgres[] = [];
  const opened: DataSource[] = [];
  afterEach(async () => {
    for (const dataSource of opened.splice(0)) await dataSource.destroy();
    for (const server of servers.splice(0)) await server.stop();
  });

  async function open(url: string): Promise<DataSource> {
    const dataSource = await newDataSource(url, [Barrel]).initialize();
    opened.push(dataSource);
    return dataSource;
  }

  it("goes on with its log: bookmarks and positions mean what they did, and transactions of the two are told apart", async function () {
    const bin = withDump();
    if (bin === undefined) return this.skip();
    for (const _ of [1, 2])
      servers.push(await startPostgres({ server: "own", env: { ...process.env, PG_BIN: bin, DATABASE_URL: "" } }));
    const [from, to] = servers.map(({ url }) => url) as [string, string];
    const old = await open(from);
    await old.synchronize();
    await eventLog(old).install();
    // So far that ids of the new cluster come below those that are dumped.
    for (let n = 0; n < 300; n++) await old.query("select pg_current_xact_id()");
    await old.manager.save(Barrel, [
      { id: 1, litres: 10 },
      { id: 2, litres: 20 },
    ]);
    await eventLog(old).bookmark("full");
    const full = await readLiveRows(from);
    await old.manager.update(Barrel, 1, { litres: 5 });
    const { position } = await eventLog(old).status();

    await promisify(execFile)("bash", [
      "-o",
      "pipefail",
      "-c",
      `"${bin}/pg_dump" -Fc -d "${from}" | "${bin}/pg_restore" --exit-on-error -d "${to}"`,
    ]);

    const restored = await open(to);
    const log = eventLog(restored);
    expect((await log.status()).advice.join(" ")).to.include("another cluster");
    await log.install();
    expect((await log.status()).advice.join(" ")).not.to.include("another cluster");
    await log.check();
    expect(await log.verify()).to.include({ equal: true, effectivePosition: position });
    await restored.transaction(async (manager) => {
      await manager.update(Barrel, 2, { litres: 1 });
      await manager.save(Barrel, { id: 3, litres: 30 });
    });
    const ids = await restored.query<{ epochs: string; lower: boolean }[]>(`
      select count(distinct epoch) as epochs,
        (select max(transaction_id::text::bigint) from chronicle.event where epoch = 2) < (select max(transaction_id::text::bigint) from chronicle.event where epoch = 1) as lower
      from chronicle.event`);
    expect(ids[0]).to.deep.equal({ epochs: "2", lower: true });
    expect(await log.at(Barrel, [1, 2, 3], position)).to.deep.equal([
      { id: 1, litres: 5 },
      { id: 2, litres: 20 },
      null,
    ]);
    expect(await log.at(Barrel, [1, 2, 3], { bookmark: "full" })).to.deep.equal([
      { id: 1, litres: 10 },
      { id: 2, litres: 20 },
      null,
    ]);
    await log.replay({ bookmark: "full" });
    expect(differencesOf(await readLiveRows(to), full)).to.deep.equal([]);
    expect(await log.verify()).to.include({ equal: true });
  });
});
