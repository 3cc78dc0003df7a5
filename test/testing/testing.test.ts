import { expect } from "chai";
import { AssertionError } from "node:assert";
import { Column, DataSource, Entity, PrimaryColumn, PrimaryGeneratedColumn } from "typeorm";
import { eventLog, override, Tracked, upcast, withEventLog, withRequestContext } from "../../src/index.js";
import { assertReplayEqualsLive, recordedEvents, storeEvent } from "../../src/testing/index.js";
import { application, rejectionOf } from "../replay/application.js";

@Entity()
@Tracked({ version: 2 })
class Account {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("text") firstName!: string;
  @Column("text") lastName!: string;
}

@Entity()
@Tracked()
class Seat {
  @PrimaryColumn("integer") row!: number;
  @PrimaryColumn("integer") place!: number;
  @Column("numeric", { nullable: true }) price!: string | null;
}

describe("typeorm-chronicle/testing", function () {
  this.timeout(60_000);

  const handlers = {
    upcasters: [
      upcast(Account, "create", { from: 1 }, ({ name, ...rest }) => {
        const [firstName = "", lastName = ""] = String(name).split(" ");
        return { ...rest, firstName, lastName };
      }),
    ],
    overrides: [
      override("Chair", "create", { versions: [1] }, async ({ recordId }, state) => {
        await state.create(Seat, { row: Number(recordId["number"]), place: 1, price: null });
      }),
    ],
  };
  const app = application({ entities: [Account, Seat], replay: handlers });
  const id = "6a0dd1a6-5c0e-4c0a-9a0e-0a2f3d6c7b11";

  it("gives the events that a block recorded, and no others", async () => {
    const accounts = app.dataSource.getRepository(Account);
    const account = await accounts.save({ firstName: "Ada", lastName: "Byron" });
    const events = await recordedEvents<{ lastName: string }>(app.dataSource, () =>
      withRequestContext({ actor: { type: "user", id: 1 } }, () =>
        accounts.update(account.id, { lastName: "Lovelace" }),
      ),
    );
    expect(events.map(({ action, data, actor }) => [action, data.lastName, actor?.id])).to.deep.equal([
      ["update", "Lovelace", "1"],
    ]);
    expect(await recordedEvents(app.dataSource, () => accounts.count())).to.deep.equal([]);
  });

  it("throws what the block throws", async () => {
    const error = await rejectionOf(recordedEvents(app.dataSource, () => Promise.reject(new Error("the block's own"))));
    expect(error.message).to.equal("the block's own");
  });

  it("stores an event of an old version, which replay brings up through upcasters", async () => {
    const stored = await storeEvent(app.dataSource, {
      entity: Account,
      recordId: { id },
      action: "create",
      version: 1,
      data: { id, name: "Ada Lovelace" },
      actor: { type: "user", id: 7, name: "Charles" },
      metadata: { release: 1 },
      occurredAt: new Date("2024-02-29T12:00:00Z"),
    });
    expect(stored).to.deep.include({
      entity: "Account",
      recordId: { id },
      version: 1,
      data: { id, name: "Ada Lovelace" },
      actor: { type: "user", id: "7", name: "Charles" },
      metadata: { release: 1 },
      occurredAt: new Date("2024-02-29T12:00:00Z"),
    });
    expect(await app.log.history(Account, id)).to.have.length(1);
    expect(await app.dataSource.getRepository(Account).count(), "live rows").to.equal(0);
    const report = await app.log.replay();
    expect(report.upcast).to.equal(1);
    expect(await app.sql('select * from "account"')).to.deep.equal([{ id, firstName: "Ada", lastName: "Lovelace" }]);
    await assertReplayEqualsLive(app.dataSource);
  });

  it("stores an event of an entity that is gone, which an override takes over", async () => {
    await storeEvent(app.dataSource, {
      entity: "Chair",
      table: "public.chair",
      recordId: { number: 5 },
      action: "create",
      version: 1,
      data: { number: 5 },
    });
    await app.log.replay();
    expect(await app.sql("select * from seat")).to.deep.equal([{ row: 5, place: 1, price: null }]);
  });

  it("refuses an entity that is not in the code without its table, and a key that is not whole", async () => {
    const event = { action: "create", version: 1 } as const;
    expect(
      await rejectionOf(storeEvent(app.dataSource, { ...event, entity: "Chair", recordId: { number: 5 } })),
    ).to.include({ code: "NOT_TRACKED" });
    const error = await rejectionOf(storeEvent(app.dataSource, { ...event, entity: Seat, recordId: { row: 5 } }));
    expect(error).to.include({ code: "OPTIONS_INVALID" });
    expect(error.message).to.include("place");
  });

  it("lets a test pass where the tables are what the log says", async () => {
    await app.dataSource.getRepository(Seat).save({ row: 1, place: 1, price: "9.90" });
    await assertReplayEqualsLive(app.dataSource);
  });

  it("fails a test, with each row and column, where they are not", async () => {
    const seats = app.dataSource.getRepository(Seat);
    await seats.save([
      { row: 1, place: 1, price: "1" },
      { row: 1, place: 2, price: "1" },
    ]);
    await app.spoil(
      "update seat set price = 3 where place = 1",
      "delete from seat where place = 2",
      "insert into seat select 9, place from generate_series(1, 12) place",
    );
    const error = await rejectionOf(assertReplayEqualsLive(app.dataSource));
    expect(error).to.be.instanceOf(AssertionError);
    expect(error.message).to.match(/^The tables are not what the log says, 14 rows differ:\n/);
    expect(error.message).to.include("Seat row 9, place 3: in the table, not in the log\n");
    expect(error.message.split("\n")).to.have.length(12);
    expect(error.message).to.match(/… and 4 more$/);
    await app.spoil("delete from seat where row = 9");
    const { message } = await rejectionOf(assertReplayEqualsLive(app.dataSource));
    expect(message.split("\n").slice(1).sort()).to.deep.equal([
      "  Seat row 1, place 1: different in price",
      "  Seat row 1, place 2: in the log, not in the table",
    ]);
  });

  it("finds the log of a schema of any name", async () => {
    const options = { type: "postgres" as const, url: app.url, entities: [Seat] };
    const dataSource = await new DataSource(withEventLog(options, { schema: 'a "log"' })).initialize();
    try {
      await eventLog(dataSource).install();
      const event = { entity: Seat, recordId: { row: 1, place: 1 }, action: "create", version: 1 } as const;
      expect(await storeEvent(dataSource, { ...event, data: { row: 1, place: 1 } })).to.include({ entity: "Seat" });
    } finally {
      await dataSource.query('drop schema "a ""log""" cascade');
      await dataSource.destroy();
    }
  });
});
