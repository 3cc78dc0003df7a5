import { expect } from "chai";
import { Column, Entity, PrimaryColumn, type QueryRunner } from "typeorm";
import { Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Parcel {
  @PrimaryColumn("integer") id!: number;
  @Column("text") label!: string;
}

/** A random history found it: TRUNCATE took rows away that its transaction did not see, and no event said so. */
describe("TRUNCATE of a tracked table", () => {
  let application: TrackedApplication;
  let runner: QueryRunner;
  beforeEach(async () => {
    application = await TrackedApplication.start([Parcel]);
    await application.query("insert into parcel values (1, 'one'), (2, 'two')");
    runner = application.dataSource.createQueryRunner();
  });
  afterEach(async () => {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    await runner.release();
    await application.stop();
  });

  const destroyed = () =>
    application.query(
      "select previous ->> 'id' as id, previous ->> 'label' as label from chronicle.event where action = 'destroy' order by 1",
    );

  const others = {
    "a row that was made": "insert into parcel values (3, 'three')",
    "a row that was changed": "update parcel set label = 'other' where id = 1",
    "a row that was deleted": "delete from parcel where id = 1",
  };
  for (const level of ["REPEATABLE READ", "SERIALIZABLE"] as const) {
    for (const [name, write] of Object.entries(others)) {
      it(`fails at ${level} where its snapshot does not show ${name}, and does it when tried again`, async () => {
        await runner.startTransaction(level);
        await runner.query("select from parcel");
        await application.query(write);
        const rows = await application.query("select * from parcel order by id");
        const error = await runner.query("truncate parcel").then(
          () => undefined,
          (cause: { code?: string; message?: string }) => cause,
        );
        expect(error).to.include({ code: "40001" });
        expect(error?.message).to.match(/TRUNCATE takes out of public.parcel cannot be recorded/);
        await runner.rollbackTransaction();
        expect(await application.query("select * from parcel order by id")).to.deep.equal(rows);

        await runner.startTransaction(level);
        await runner.query("truncate parcel");
        await runner.commitTransaction();
        expect((await destroyed()).slice(-rows.length)).to.have.length(rows.length);
        expect(await application.log.verify()).to.include({ equal: true, checked: 0 });
      });
    }
  }

  it("fails where a transaction that was open in its snapshot has committed since", async () => {
    const writer = application.dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.query("insert into parcel values (3, 'three')");
    await runner.startTransaction("REPEATABLE READ");
    await runner.query("select from parcel");
    const truncated = runner.query("truncate parcel").catch((error: { code?: string }) => error.code);
    await writer.commitTransaction();
    await writer.release();
    expect(await truncated).to.equal("40001");
  });

  it("records what the transaction sees and did itself, where nobody else committed", async () => {
    const writer = application.dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.query("select pg_current_xact_id()");
    await runner.startTransaction("REPEATABLE READ");
    await runner.query(
      "update parcel set label = 'mine' where id = 1; savepoint a; insert into parcel values (3, 'three')",
    );
    await runner.query("release a; truncate parcel");
    await runner.commitTransaction();
    await writer.rollbackTransaction();
    await writer.release();
    expect(await destroyed()).to.deep.equal([
      { id: "1", label: "mine" },
      { id: "2", label: "two" },
      { id: "3", label: "three" },
    ]);
  });

  it("records at READ COMMITTED what was committed while it waited", async () => {
    const writer = application.dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.query("insert into parcel values (3, 'three'); update parcel set label = 'other' where id = 1");
    await runner.startTransaction();
    await runner.query("select from parcel");
    const truncated = runner.query("truncate parcel");
    await writer.commitTransaction();
    await writer.release();
    await truncated;
    await runner.commitTransaction();
    expect(await destroyed()).to.deep.equal([
      { id: "1", label: "other" },
      { id: "2", label: "two" },
      { id: "3", label: "three" },
    ]);
  });
});

/** Random histories found it too: what capture asks of the table was made for the keys that the snapshot shows. */
describe("a key that got another type since a transaction's snapshot", () => {
  for (const level of ["REPEATABLE READ", "SERIALIZABLE"] as const)
    it(`is captured as it is now, at ${level}`, async () => {
      const application = await TrackedApplication.start([Parcel]);
      const runner = application.dataSource.createQueryRunner();
      const [one, other] = ["1", "2"].map((digit) => `'00000000-0000-4000-8000-00000000000${digit}'`);
      try {
        await runner.startTransaction(level);
        await runner.query("select from pg_class limit 1");
        await application.query("alter table parcel alter column id type uuid using gen_random_uuid()");
        await runner.query(`insert into parcel values (${one}, 'one'), (${other}, 'two')`);
        await runner.query(`update parcel set label = 'changed'`);
        await runner.query(`update parcel set id = '00000000-0000-4000-8000-000000000003' where id = ${one}`);
        await runner.query(`delete from parcel where id = ${other}`);
        await runner.commitTransaction();
        expect(
          (await application.query("select action, record_key from chronicle.event order by position")).map(
            ({ action, record_key: key }) => `${action} ${key?.slice(-1)}`,
          ),
        ).to.deep.equal(["create 1", "create 2", "update 1", "update 2", "destroy 1", "create 3", "destroy 2"]);
      } finally {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        await runner.release();
        await application.stop();
      }
    });
});
