import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application } from "./application.js";

@Entity()
@Tracked()
class Reading {
  @PrimaryColumn("integer") id!: number;
  @Column("text") value!: string;
}

describe("a replay into tables that were analyzed when they were empty", function () {
  this.timeout(60_000);
  const app = application({ entities: [Reading] });

  // By the plan that the statistics ask for, each row would read all that were inserted before it: minutes for these.
  it("brings many rows back", async () => {
    await app.sql("insert into reading select n, 'reading ' || n from generate_series(1, 150000) n");
    const rows = await app.rows();
    await app.spoil("truncate reading; analyze reading");
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
  });
});
