import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Sensitive, Tracked, withRequestContext } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { Application, expectEqual } from "../replay/application.js";

@Entity()
@Tracked()
class Guest {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("text", { nullable: true }) @Sensitive() passport!: string | null;
  @Column("text", { default: "none" }) @Sensitive({ erased: "[erased]" }) phone!: string;
}

describe("upkeep under capture by the subscriber", () => {
  let app: Application;
  afterEach(() => app?.stop());
  const started = async (after = "") => {
    app = new Application({ entities: [Guest], capture: "subscriber", uncaptured: "error", after });
    await app.start();
    return app.dataSource.getRepository(Guest);
  };
  const everything = async () =>
    JSON.stringify(
      await app.sql(
        "select to_jsonb(t.*)::text from guest t union all select to_jsonb(t.*)::text from chronicle.event t union all select to_jsonb(t.*)::text from chronicle.event_sensitive t",
      ),
    );

  it("erases, records that it did, and goes on", async () => {
    const guests = await started();
    const guest = await guests.save({ name: "Ada", passport: "canary-1", phone: "canary-2" });
    await guests.save({ id: guest.id, passport: "canary-3" });
    expect(await everything()).to.include("canary-1");
    const { erased } = await withRequestContext({ actor: { type: "user", id: "1" } }, () =>
      app.log.erase(Guest, guest.id),
    );
    expect(erased).to.equal(2);
    expect(await everything()).to.not.include("canary");
    expect((await app.log.history(Guest, guest.id)).at(-1)).to.deep.include({
      origin: "erase",
      actor: { type: "user", id: "1", name: null },
    });
    await expectEqual(app, "after the erasure");
    await guests.save({ id: guest.id, name: "Ada L." });
    expect((await app.log.history(Guest, guest.id)).at(-1)?.data).to.deep.equal({ name: "Ada L." });
    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
    await expectEqual(app, "in the end");
  });

  it("records a baseline, beside rows that a flush recorded first", async () => {
    const guests = await started(
      "insert into guest (name, passport) select 'g' || i, 'p' || i from generate_series(1, 1200) i",
    );
    await guests.save({ id: 3, name: "changed before the baseline" });
    expect((await app.log.history(Guest, 3)).map(({ origin }) => origin)).to.deep.equal(["baseline"]);
    expect(await app.log.baseline()).to.deep.equal({ rows: 1_199 });
    await guests.save({ id: 4, name: "changed after it" });
    expect(await app.log.baseline()).to.deep.equal({ rows: 0 });
    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
  });
});
