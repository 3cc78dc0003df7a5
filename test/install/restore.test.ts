import { expect } from "chai";
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DataSource, Column, Entity, PrimaryColumn } from "typeorm";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { eventLog, Tracked } from "../../src/index.js";
import { query } from "../database.js";
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
    for (let n = 0; n < 1_000; n++) await old.query("select pg_current_xact_id()");
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

  it("goes on capturing under another owner, and its guards know that one", async function () {
    const bin = withDump();
    if (bin === undefined) return this.skip();
    servers.push(await startPostgres({ server: "own", env: { ...process.env, PG_BIN: bin, DATABASE_URL: "" } }));
    const [{ url } = { url: "" }] = servers;
    const at = (database: string, role: string) =>
      Object.assign(new URL(url), { pathname: `/${database}`, username: role }).href;
    for (const role of ["first", "second"])
      await query(url, `create role ${role} login`).then(() => query(url, `create database of_${role} owner ${role}`));
    await query(url, "create role application login");
    const old = await open(at("of_first", "first"));
    await old.synchronize();
    await eventLog(old).install({ grantTo: "application" });
    await old.query("insert into barrel values (1, 10)");
    await eventLog(old).partition();

    await promisify(execFile)("bash", [
      "-o",
      "pipefail",
      "-c",
      `"${bin}/pg_dump" -Fc --no-owner --no-acl -d "${at("of_first", "first")}" |
        "${bin}/pg_restore" --exit-on-error --no-owner --no-acl -d "${at("of_second", "second")}"`,
    ]);

    const second = at("of_second", "second");
    const refusals = async () => {
      for (const [role, state] of [
        ["second", /append-only/],
        ["first", /permission denied/],
      ] as const) {
        const refused = await query(at("of_second", role), "delete from chronicle.event").catch(
          (error: Error) => error,
        );
        expect((refused as Error).message).to.match(state);
      }
    };
    await refusals();
    const log = eventLog(await open(second));
    expect((await log.status()).findings.map(({ code }) => code)).to.include("RIGHTS_UNEXPECTED");
    await log.install({ grantTo: "application" });
    expect((await log.status()).findings).to.deep.equal([]);
    await refusals();
    await query(second, "grant insert on barrel to application");
    await query(at("of_second", "application"), "insert into barrel values (2, 20)");
    await query(second, "update barrel set litres = 30 where id = 2");
    expect(await query(second, "select action from chronicle.event order by position")).to.deep.equal([
      { action: "create" },
      { action: "create" },
      { action: "update" },
    ]);
    await query(url, "grant pg_write_all_data to first");
    for (const table of ["event", "event_0", "event_1", "tracked"]) {
      const refused = await query(at("of_second", "first"), `insert into chronicle.${table} default values`).catch(
        (error: Error) => error,
      );
      expect((refused as Error).message, table).to.include("only the log itself writes here");
    }
  });
});
