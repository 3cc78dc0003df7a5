import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { eventLog, Tracked, withRequestContext } from "../../src/index.js";
import { query } from "../database.js";
import { newDataSource } from "../tracked-application.js";
import { startStandby } from "./standby.js";

@Entity()
@Tracked()
class Voucher {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
}

describe("an application that reads from a streaming standby", function () {
  this.timeout(120_000);
  const servers: RunningPostgres[] = [];
  after(async () => {
    for (const server of servers.toReversed()) await server.stop();
  });

  for (const capture of ["trigger", "subscriber"] as const) {
    it(`records under ${capture} capture, and reads its log where it is true, however far the standby is behind`, async () => {
      if (servers.length === 0) {
        servers.push(await startPostgres({ server: "own" }));
        servers.push(await startStandby(servers[0]!));
      }
      const [primary, standby] = servers.map(({ url }) => url) as [string, string];
      expect(await query(standby, "select pg_is_in_recovery() as yes")).to.deep.equal([{ yes: true }]);
      await query(primary, `drop schema if exists chronicle cascade; drop table if exists voucher`);
      const application = newDataSource(
        primary,
        [Voucher],
        { synchronize: true, replication: { master: { url: primary }, slaves: [{ url: standby }] } },
        { capture },
      );
      await application.initialize();
      try {
        const log = eventLog(application);
        await log.install();
        const save = (voucher: Partial<Voucher>) =>
          withRequestContext({ actor: { type: "user", id: "1" } }, () => application.manager.save(Voucher, voucher));
        const voucher = await save({ title: "one" });
        await caughtUp(primary, standby);
        expect(await application.manager.find(Voucher)).to.deep.equal([voucher]);
        await query(standby, "select pg_wal_replay_pause()");
        try {
          await save({ id: voucher.id, title: "two" });
          expect(await application.manager.find(Voucher)).to.deep.equal([voucher]); // what the standby still shows
          const told = (await log.history(Voucher, voucher.id)).map(({ data, actor }) => [data["title"], actor?.id]);
          expect(told).to.deep.equal([
            ["one", "1"],
            ["two", "1"],
          ]);
          const events = [];
          for await (const event of log.events({ entity: Voucher })) events.push(event.action);
          expect(events).to.deep.equal(["create", "update"]);
          expect(await log.at(Voucher, voucher.id, new Date())).to.include({ title: "two" });
          expect(await log.verify()).to.include({ equal: true });
          await log.check();
          await log.replay(1n);
          expect(await query(primary, "select title from voucher")).to.deep.equal([{ title: "one" }]);
        } finally {
          await query(standby, "select pg_wal_replay_resume()");
        }
      } finally {
        await application.destroy();
      }
    });
  }
});

/** Waits until the standby has replayed all that the primary has written. */
async function caughtUp(primary: string, standby: string): Promise<void> {
  const [written] = await query<{ lsn: string }>(primary, "select pg_current_wal_insert_lsn()::text as lsn");
  for (;;) {
    const [replayed] = await query<{ yes: boolean }>(standby, "select pg_last_wal_replay_lsn() >= $1::pg_lsn as yes", [
      written?.lsn,
    ]);
    if (replayed?.yes === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
