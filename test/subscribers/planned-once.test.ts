import { expect } from "chai";
import pg from "pg";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Stamp {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") motif!: string;
}

/** How many rows the planner expects in a transition table is what the session's first statement had there. */
describe("the statements of capture", () => {
  let application: TrackedApplication;
  beforeEach(async () => {
    application = await TrackedApplication.start([Stamp]);
  });
  afterEach(() => application.stop());

  it("are planned once, also in a session whose first write was of thousands of rows", async () => {
    const plans: string[] = [];
    const client = new pg.Client({ connectionString: application.database.url });
    client.on("notice", ({ message }) => plans.push(message ?? ""));
    await client.connect();
    try {
      const insert = "insert into stamp (motif) values ('single')";
      await client.query("insert into stamp (motif) select 'of many' from generate_series(1, 5000)");
      for (let turn = 0; turn < 12; turn++) await client.query(insert);
      await client.query("set client_min_messages = log; set debug_print_plan = on");
      await client.query(insert);
    } finally {
      await client.end();
    }
    expect(plans, "the application's own insert").to.deep.equal(["plan:"]);
  });
});
