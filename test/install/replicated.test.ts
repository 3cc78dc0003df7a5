import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { Tracked } from "../../src/index.js";
import { createDatabase, query } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity({ synchronize: false })
@Tracked()
class Sample {
  @PrimaryColumn("integer") id!: number;
  @Column("text", { nullable: true }) name!: string | null;
}

const plain = "create table sample (id integer primary key, name text)";
const divided = `${plain} partition by range (id); create table sample_a partition of sample for values from (0) to (100)`;

describe("a tracked table that a subscription writes to by logical replication", function () {
  this.timeout(60_000);
  let server: RunningPostgres;
  before(async () => {
    server = await startPostgres({ server: "own", settings: { wal_level: "logical" } });
  });
  after(() => server?.stop());

  for (const [kind, ddl] of [
    ["plain", plain],
    ["partitioned", divided],
  ] as const)
    it(`is found, because no trigger fires for the rows that come (${kind})`, async () => {
      const slot = `from_elsewhere_${kind}`;
      const source = await createDatabase({ server: server.url });
      await query(source.url, ddl);
      await query(source.url, "create publication all_of_it for all tables");
      await query(source.url, `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
      const app = await TrackedApplication.start([Sample], {
        server: server.url,
        prepare: ({ url }) => query(url, ddl),
      });
      try {
        expect((await app.log.status()).findings).to.deep.equal([]);
        await app.query(
          `create subscription "${slot}" connection '${source.url}' publication all_of_it with (create_slot = false, slot_name = '${slot}')`,
        );
        await query(source.url, "insert into sample values (1, 'one')");
        for (let tries = 0; tries < 100 && (await app.value("select count(*) from sample")) === "0"; tries++)
          await new Promise((resolve) => setTimeout(resolve, 100));
        expect(await app.value("select count(*) from sample"), "rows that came").to.equal("1");
        expect(await app.countEvents()).to.equal(0);
        const { findings } = await app.log.status();
        expect(findings.map(({ code, severity }) => [code, severity])).to.deep.equal([["CAPTURE_IMPAIRED", "error"]]);
        expect(findings[0]?.message).to.include("Sample (public.sample)").and.to.include(slot);
        expect(await rejectionOf(app.log.check())).to.include({ code: "CAPTURE_IMPAIRED" });
        await app.query(`alter subscription "${slot}" disable`);
        expect((await app.log.status()).findings).to.deep.equal([]);
      } finally {
        await app.query(`alter subscription "${slot}" disable`);
        await app.query(`alter subscription "${slot}" set (slot_name = none)`);
        await app.query(`drop subscription "${slot}"`);
        await app.stop();
        for (let tries = 0; tries < 100; tries++) {
          try {
            await query(server.url, `select pg_drop_replication_slot('${slot}')`);
            break;
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 100)); // its walsender is on the way out
          }
        }
        await source.drop();
      }
    });
});
