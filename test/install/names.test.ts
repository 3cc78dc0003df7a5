import { expect } from "chai";
import { ChildEntity, Column, Entity, EntitySchema, PrimaryGeneratedColumn, TableInheritance } from "typeorm";
import { type EventLog, eventLog, override, type RecordedEvent, Sensitive, track, Tracked } from "../../src/index.js";
import { expectSameRows, readLiveRows } from "../live-rows.js";
import { Application, expectEqual, rejectionOf, type Setting } from "../replay/application.js";
import { newDataSource } from "../tracked-application.js";

/** An application that is deployed again with other code: `migrate` runs between, then the new code installs. */
class Deployments extends Application {
  async deploy(setting: Setting, migrate?: string): Promise<EventLog> {
    if (migrate !== undefined) await this.sql(migrate);
    const { dataSource, log } = await this.open(setting);
    await log.install();
    this.dataSource = dataSource;
    this.log = log;
    return log;
  }

  async entitiesOf(list: readonly RecordedEvent[]): Promise<string[]> {
    return list.map(({ entity, action }) => `${entity} ${action}`);
  }
}

async function started(setting: Setting): Promise<Deployments> {
  const app = new Deployments(setting);
  await app.start();
  return app;
}

@Entity({ name: "shop" })
@Tracked()
class Shop {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

describe("names in the log", () => {
  let app: Deployments;
  afterEach(() => app?.stop());

  /** Rows before and after a rename come back from the log alone, at each moment. */
  async function expectReplay(
    moments: readonly { bookmark: string; rows: Awaited<ReturnType<typeof readLiveRows>> }[],
  ) {
    const now = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), now, "after a replay into empty tables");
    for (const { bookmark, rows } of moments) {
      await app.log.replay({ bookmark });
      const [[, wanted] = ["", []]] = rows;
      const [[, actual] = ["", []]] = await app.rows();
      expect(actual, `after a replay to ${bookmark}`).to.deep.equal(wanted);
    }
    await expectEqual(app, "in the end");
  }

  it("go on when a class is renamed and says what it was", async () => {
    app = await started({ entities: [Shop] });
    const { id } = await app.dataSource.getRepository(Shop).save({ name: "one" });
    const moment = await app.moment();
    @Entity({ name: "shop" })
    @Tracked({ formerly: ["Shop"] })
    class Store {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    await app.deploy({ entities: [Store] });
    await app.dataSource.getRepository(Store).update({ id }, { name: "two" });
    const wanted = ["Shop create", "Store update"];
    expect(await app.entitiesOf(await app.log.history(Store, id))).to.deep.equal(wanted);
    expect(await app.entitiesOf(await app.log.history("Shop", id))).to.deep.equal(wanted);
    for (const entity of [Store, "Store", "Shop"])
      expect(await app.entitiesOf(await app.events({ entity }))).to.deep.equal(wanted);
    expect((await app.log.at(Store, id, moment))?.name).to.equal("one");
    await expectReplay([moment]);
  });

  it("stop a replay when a class is renamed and does not say so, until it does", async () => {
    app = await started({ entities: [Shop] });
    const { id } = await app.dataSource.getRepository(Shop).save({ name: "one" });
    @Entity({ name: "shop" })
    @Tracked()
    class Market {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    await app.deploy({ entities: [Market] });
    expect(await app.log.history(Market, id)).to.have.length(1);
    const error = await rejectionOf(app.log.replay());
    expect(error).to.include({ code: "REPLAY_VERSION_UNHANDLED" });
    expect(error.message).to.include("1 Shop create of version 1").and.include("formerly");
  });

  it("reach handlers under today's name and under the former one", async () => {
    app = await started({ entities: [Shop] });
    await app.dataSource.getRepository(Shop).save({ name: "one" });
    @Entity({ name: "shop" })
    @Tracked({ formerly: ["Shop"], version: 2 })
    class Store {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    for (const name of [Store, "Store", "Shop"]) {
      const handler = override(name, "create", { versions: [1] }, (event, state) =>
        state.create(Store, { ...event.data, name: "made by a handler" }),
      );
      await app.deploy({ entities: [Store], replay: { overrides: [handler] } });
      await app.spoil("delete from shop");
      expect(await app.log.replay()).to.include({ overridden: 1 });
      expect(await app.sql("select name from shop")).to.deep.equal([{ name: "made by a handler" }]);
    }
  });

  it("go on when a table is renamed, moved to another schema, and renamed back", async () => {
    app = await started({ entities: [Shop] });
    const { id } = await app.dataSource.getRepository(Shop).save({ name: "one" });
    const moments = [await app.moment()];
    @Entity({ name: "outlet" })
    @Tracked({ name: "Shop" })
    class Outlet {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    @Entity({ name: "Our outlets", schema: "Retail" })
    @Tracked({ name: "Shop" })
    class Moved {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    await app.sql("alter table shop rename to outlet");
    await app.sql("update outlet set name = 'between rename and install'");
    await app.deploy({ entities: [Outlet] });
    await app.dataSource.getRepository(Outlet).save([{ id, name: "two" }, { name: "second" }]);
    moments.push(await app.moment());
    await app.deploy(
      { entities: [Moved] },
      `create schema "Retail"; alter table outlet set schema "Retail"; alter table "Retail".outlet rename to "Our outlets"`,
    );
    await app.dataSource.getRepository(Moved).update({ id }, { name: "three" });
    moments.push(await app.moment());
    expect((await app.log.history(Moved, id)).map(({ data }) => data["name"])).to.deep.equal([
      "one",
      "between rename and install",
      "two",
      "three",
    ]);
    await app.deploy(
      { entities: [Shop] },
      `alter table "Retail"."Our outlets" rename to shop; alter table "Retail".shop set schema public`,
    );
    await app.dataSource.getRepository(Shop).update({ id }, { name: "four" });
    expect((await app.log.at(Shop, id, { bookmark: moments[1]?.bookmark ?? "" }))?.name).to.equal("two");
    await expectReplay(moments);
  });

  it("are not given to another table while events carry them", async () => {
    app = await started({ entities: [Shop] });
    await app.dataSource.getRepository(Shop).save({ name: "one" });
    @Entity({ name: "outlet" })
    @Tracked()
    class Outlet {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    @Entity({ name: "shop" })
    @Tracked()
    class Workshop {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
    }
    await app.sql("alter table shop rename to outlet; create table shop (id serial primary key, name text not null)");
    const error = await rejectionOf(app.deploy({ entities: [Outlet, Workshop] }));
    expect(error).to.include({ code: "OPTIONS_INVALID" });
    expect(error.message).to.include("public.shop has the name that the events of Outlet (public.outlet) carry");
    @Entity({ name: "booth" })
    @Tracked({ name: "Shop" })
    class Booth {
      @PrimaryGeneratedColumn() id!: number;
    }
    const taken = await rejectionOf(app.deploy({ entities: [Booth] }, "create table booth (id serial primary key)"));
    expect(taken).to.include({ code: "OPTIONS_INVALID" });
    expect(taken.message).to.include("the name Shop belongs to the events of public.outlet");
  });

  it("go on when a table is dropped and made again", async () => {
    app = await started({ entities: [Shop] });
    await app.dataSource.getRepository(Shop).save({ name: "one" });
    const before = await app.moment();
    await app.deploy(
      { entities: [Shop] },
      "drop table shop; create table shop (id serial primary key, name text not null)",
    );
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.events()).at(-1)).to.include({ action: "destroy", origin: "migration" });
    await app.log.replay({ bookmark: before.bookmark });
    expectSameRows(await app.rows(), before.rows);
  });

  it("of two entities on one table have to agree, and then both are recorded", async () => {
    @Entity({ name: "member" })
    @Tracked({ name: "Member" })
    class Member {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
      @Column("text", { nullable: true }) email!: string | null;
    }
    @Entity({ name: "member" })
    @Tracked({ name: "Member" })
    class Contact {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { nullable: true }) @Sensitive() email!: string | null;
      @Column("text", { nullable: true }) phone!: string | null;
    }
    app = await started({
      entities: [Member],
      after: "alter table member add phone text",
    });
    await app.deploy({ entities: [Member, Contact] });
    const { id } = await app.dataSource.getRepository(Member).save({ name: "Ada", email: "hidden" });
    await app.dataSource.getRepository(Contact).update({ id }, { phone: "shown" });
    expect((await app.log.history(Contact, id)).map(({ entity, data }) => ({ entity, data }))).to.deep.equal([
      { entity: "Member", data: { id, name: "Ada", phone: null } },
      { entity: "Member", data: { phone: "shown" } },
    ]);
    const { position } = await app.log.status();
    expect(await app.log.at(Contact, id, position))
      .to.be.instanceOf(Contact)
      .and.include({ phone: "shown" });
    expect(await app.log.at(Member, id, position, { sensitive: true }))
      .to.be.instanceOf(Member)
      .and.include({ email: "hidden" });
    await app.wipe();
    await app.log.replay();
    expect(await app.sql("select name, email, phone from member")).to.deep.equal([
      { name: "Ada", email: "hidden", phone: "shown" },
    ]);
    for (const options of [{ name: "Member", version: 2 }, { name: "Contact" }, { name: "Member", tenant: "name" }]) {
      @Entity({ name: "member" })
      @Tracked(options)
      class Other {
        @PrimaryGeneratedColumn() id!: number;
        @Column("text") name!: string;
      }
      const { log } = await app.open({ entities: [Member, Other] });
      const error = await rejectionOf(log.install());
      expect(error).to.include({ code: "OPTIONS_INVALID" });
      expect(error.message).to.include("Member and Other are both on public.member");
    }
  });

  it("are those of an EntitySchema that is tracked", async () => {
    const Bin = track(
      new EntitySchema<{ id: number; label: string; pin: string | null }>({
        name: "Bin",
        tableName: "storage_bin",
        columns: {
          id: { type: Number, primary: true, generated: true },
          label: { type: "text", name: "printed_label" },
          pin: { type: "text", nullable: true, select: false },
        },
      }),
      { version: 3, tenant: "label" },
    );
    app = await started({ entities: [Bin] });
    const { id } = await app.dataSource.getRepository(Bin).save({ label: "A1", pin: "secret" });
    await app.dataSource.getRepository(Bin).update({ id }, { label: "A2" });
    const shown = (await app.log.history(Bin, id)).map(({ entity, version, tenant, data }) => [
      entity,
      version,
      tenant,
      data,
    ]);
    expect(shown).to.deep.equal([
      ["Bin", 3, "A1", { id, printed_label: "A1" }],
      ["Bin", 3, "A2", { printed_label: "A2" }],
    ]);
    expect(await app.log.at(Bin, id, 1n)).to.deep.include({ id, label: "A1" });
    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
  });

  it("of children under single-table inheritance are renamed like any other", async () => {
    @Entity({ name: "vehicle" })
    @TableInheritance({ column: { type: "text", name: "kind" } })
    @Tracked()
    class Vehicle {
      @PrimaryGeneratedColumn() id!: number;
    }
    @ChildEntity("car")
    class Car extends Vehicle {
      @Column("integer", { nullable: true }) doors!: number | null;
    }
    app = await started({ entities: [Vehicle, Car] });
    const { id } = await app.dataSource.getRepository(Car).save({ doors: 3 });
    @Entity({ name: "vehicle" })
    @TableInheritance({ column: { type: "text", name: "kind" } })
    @Tracked({ name: "Vehicle" })
    class Conveyance {
      @PrimaryGeneratedColumn() id!: number;
    }
    @ChildEntity("car")
    @Tracked({ name: "MotorCar", formerly: ["Car"] })
    class MotorCar extends Conveyance {
      @Column("integer", { nullable: true }) doors!: number | null;
    }
    await app.deploy({ entities: [Conveyance, MotorCar] });
    await app.dataSource.getRepository(MotorCar).update({ id }, { doors: 5 });
    for (const entity of [MotorCar, "Car"])
      expect(await app.entitiesOf(await app.events({ entity }))).to.deep.equal(["Car create", "MotorCar update"]);
    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
  });

  it("of a class that is gone can be read; a replay asks for a handler and takes one", async () => {
    @Entity({ name: "fair" })
    @Tracked()
    class Fair {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") title!: string;
    }
    app = await started({ entities: [Shop, Fair] });
    await app.dataSource.getRepository(Shop).save({ name: "one" });
    const { id } = await app.dataSource.getRepository(Fair).save({ title: "spring" });
    await app.dataSource.getRepository(Fair).delete({ id });
    await app.dataSource.getRepository(Fair).save({ title: "autumn" });
    await app.deploy({ entities: [Shop] }, "drop table fair");
    expect(await app.entitiesOf(await app.events({ entity: "Fair" }))).to.deep.equal([
      "Fair create",
      "Fair destroy",
      "Fair create",
    ]);
    expect(await app.log.status()).to.deep.include({ findings: [] });
    const error = await rejectionOf(app.log.replay());
    expect(error).to.include({ code: "REPLAY_VERSION_UNHANDLED" });
    expect(error.message)
      .to.include("2 Fair create of version 1 (today's: no such entity)")
      .and.include("1 Fair destroy")
      .and.include("as a string");
    await app.deploy({
      entities: [Shop],
      replay: {
        overrides: [
          override<{ title: string }>("Fair", "create", { versions: [1] }, async ({ data, position }, state) =>
            state.create(Shop, { id: Number(position) + 100, name: data.title }),
          ),
          override("Fair", "destroy", { versions: [1] }, async ({ position }, state) =>
            state.destroy(Shop, Number(position) + 99),
          ),
        ],
      },
    });
    await app.log.replay();
    expect(await app.sql("select name from shop order by id")).to.deep.equal([{ name: "one" }, { name: "autumn" }]);
    await expectEqual(app, "in the end");
  });

  it("are refused when two entities have one, today or formerly", async () => {
    for (const options of [{ name: "Shop" }, { formerly: ["Shop"] }]) {
      @Entity({ name: "kiosk" })
      @Tracked(options)
      class Kiosk {
        @PrimaryGeneratedColumn() id!: number;
      }
      app = await started({ entities: [Shop] });
      const dataSource = newDataSource(app.url, [Shop, Kiosk]);
      await dataSource.initialize();
      const error = await rejectionOf(eventLog(dataSource).install());
      await dataSource.destroy();
      expect(error).to.include({ code: "OPTIONS_INVALID" });
      expect(error.message).to.include('the name "Shop"').and.include("public.kiosk");
      if (options.name !== undefined) await app.stop();
    }
  });
});
