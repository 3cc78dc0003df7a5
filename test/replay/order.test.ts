import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application } from "./application.js";

@Entity()
@Tracked()
class Lamp {
  @PrimaryColumn("integer") id!: number;
  @Column("text") color!: string;
}

describe("the order of the fold", () => {
  const app = application({ entities: [Lamp] });

  it("is that of the writes on a record, not of the transactions that made them", async () => {
    await app.dataSource.manager.insert(Lamp, [
      { id: 1, color: "white" },
      { id: 2, color: "white" },
    ]);
    const early = app.dataSource.createQueryRunner();
    await early.startTransaction();
    await early.manager.update(Lamp, 2, { color: "its transaction has begun" });
    await app.dataSource.manager.update(Lamp, 1, { color: "of a later transaction, written first" });
    await early.manager.update(Lamp, 1, { color: "of the earlier transaction, written last" });
    await early.commitTransaction();
    await early.release();
    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
  });

  it("keeps a transaction that wrote on both sides of a position whole", async () => {
    const early = app.dataSource.createQueryRunner();
    await early.startTransaction();
    await early.manager.insert(Lamp, { id: 1, color: "before the position" });
    await app.dataSource.manager.insert(Lamp, { id: 2, color: "committed" });
    const position = await app.position();
    const rows = await app.rows();
    await early.manager.insert(Lamp, { id: 3, color: "after the position" });
    await early.commitTransaction();
    await early.release();
    await app.log.replay(position);
    expectSameRows(await app.rows(), rows);
  });
});
