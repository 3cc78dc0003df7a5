import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked({ exclude: ["draft"] })
class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text", { nullable: true }) draft!: string | null;
  @Column("json") stamps!: unknown;
}

describe("an excluded column", () => {
  let application: TrackedApplication;
  before(async () => (application = await TrackedApplication.start([Letter])));
  after(() => application?.stop());

  it("is in no event, beside columns that are recorded in a form of their own", async () => {
    const letters = application.dataSource.getRepository(Letter);
    const letter = await letters.save({ draft: "canary", stamps: [1] });
    await letters.update(letter.id, { draft: "canary again" });
    await letters.delete(letter.id);
    const events = await application.query(
      "select action, data::text || previous::text || coalesce((select s::text from chronicle.event_sensitive s where s.position = e.position), '') as text from chronicle.event e order by position",
    );
    expect(events.map(({ action }) => action)).to.deep.equal(["create", "destroy"]);
    expect(JSON.stringify(events)).to.not.include("canary").and.not.include("draft");
  });
});
