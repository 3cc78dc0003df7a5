import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked({ exclude: ["secret"] })
class Letter {
  @PrimaryColumn("integer") id!: number;
  @Column("json", { nullable: true }) body!: unknown;
  @Column("text", { nullable: true }) secret!: string | null;
}

describe("an excluded column", () => {
  it("is never recorded, beside columns that are recorded as text, whatever the write", async () => {
    const application = await TrackedApplication.start([Letter]);
    try {
      const { manager } = application;
      await manager.insert(Letter, { id: 1, body: { a: 1 }, secret: "canary" });
      await manager.update(Letter, 1, { body: { a: 2 }, secret: "canary" });
      await manager.update(Letter, 1, { id: 2, secret: "canary 2" });
      await manager.update(Letter, 2, { secret: "canary 3" });
      await manager.delete(Letter, 2);
      const [events] = await application.query(
        "select count(*) as count, string_agg(e::text, ' ') ~ 'canary|secret' as leaks, count(s) as apart from chronicle.event e left join chronicle.event_sensitive s using (position)",
      );
      expect(events).to.deep.equal({ count: "5", leaks: false, apart: "0" });
    } finally {
      await application.stop();
    }
  });
});
