import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application, expectUntouched, rejectionOf, until } from "./application.js";

@Entity()
@Tracked()
class Lamp {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

describe("replay into live tables", () => {
  const app = application({ entities: [Lamp] });

  it("changes nothing the second time", async () => {
    await app.dataSource.getRepository(Lamp).save([{ name: "desk" }, { name: "floor" }]);
    await app.spoil("delete from lamp where name = 'desk'");
    expect((await app.log.replay()).rows.inserted).to.equal(1);
    expectUntouched(await app.log.replay());
  });

  it("refuses a second replay while one runs, and leaves the first alone", async () => {
    await app.dataSource.getRepository(Lamp).save({ name: "desk" });
    const rows = await app.rows();
    await app.wipe();
    const writer = app.dataSource.createQueryRunner();
    await writer.startTransaction();
    const first = app.log.replay();
    await until(
      app,
      `select 1 as waiting from pg_locks l join pg_class c on c.oid = l.relation
       where c.relname = 'gate' and l.mode = 'AccessExclusiveLock' and not l.granted`,
    );
    expect(await rejectionOf(app.log.replay())).to.include({ code: "REPLAY_IN_PROGRESS" });
    await writer.commitTransaction();
    await writer.release();
    expect((await first).rows.inserted).to.equal(1);
    expectSameRows(await app.rows(), rows);
  });
});
