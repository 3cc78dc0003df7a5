import { expect } from "chai";
import { IsEmail, IsInt, Max, ValidateNested } from "class-validator";
import { Column, Entity, ManyToOne, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application, expectEqual, expectUntouched, rejectionOf } from "./application.js";

class Address {
  @Column("integer", { nullable: true }) @IsInt() @Max(99_999) zip!: number;
}

@Entity()
@Tracked()
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") @IsEmail() mail!: string;
  @Column(() => Address) @ValidateNested() address!: Address;
}

@Entity()
@Tracked({ exclude: ["seen"] })
class Order {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Person, { nullable: false }) person!: Relation<Person>;
  @Column("text") state!: string;
  @Column("integer", { default: 0 }) seen!: number;
}

@Entity()
@Tracked({ auditOnly: true })
class Visit {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") page!: string;
}

/** Not tracked. */
@Entity()
class Parcel {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Order, { onDelete: "CASCADE" }) order!: Relation<Order> | null;
}

describe("the options of replay", function () {
  this.timeout(60_000);
  const app = application({ entities: [Person, Order, Visit, Parcel] });
  const people = () => app.dataSource.getRepository(Person);
  const orders = () => app.dataSource.getRepository(Order);

  async function write() {
    const person = await people().save({ mail: "ada@example.org", address: { zip: 12345 } });
    const order = await orders().save({ person, state: "new", seen: 3 });
    await app.dataSource.getRepository(Visit).save({ page: "/" });
    const moment = await app.moment();
    await orders().update(order.id, { state: "paid" });
    await people().save({ mail: "bob@example.org", address: { zip: 1 } });
    return { person, order, moment };
  }

  it("are refused where they are not known or wrong, before anything is read", async () => {
    const wrong: [object, string][] = [
      [{ aply: "rebuild" }, 'unknown option "aply"'],
      [{ apply: "truncate" }, 'expected apply to be "difference" or "rebuild", got: "truncate"'],
      [{ unknownRows: "drop" }, 'expected unknownRows to be "refuse", "keep" or "delete"'],
      [{ entities: [] }, "expected entities to be a list of entities that is not empty"],
      [{ tenant: "" }, "expected tenant to be a string that is not empty, or a number"],
      [{ validate: 1 }, "expected validate to be true or false"],
      [{ dryRun: "yes" }, "expected dryRun to be true or false"],
      [{ onProgress: {} }, "expected onProgress to be a function"],
      [{ signal: {} }, "expected signal to be an AbortSignal"],
      [{ lockTimeoutMs: -1 }, "expected lockTimeoutMs to be a number of milliseconds from 0"],
      [
        { tenant: "a", apply: "rebuild" },
        'expected apply to be "difference" for a tenant, whose rows share tables with others',
      ],
    ];
    for (const [options, message] of wrong) {
      const error = await rejectionOf(app.log.replay(undefined, options));
      expect(error, message).to.include({ code: "OPTIONS_INVALID" });
      expect(error.message).to.include(message);
    }
  });

  describe("dryRun", () => {
    it("tells the plan, the rows and the events of a replay, and writes nothing", async () => {
      const { moment } = await write();
      await app.spoil("update person set mail = 'spoilt@example.org' where id = 1", "delete from person where id = 2");
      const [rows, position] = [await app.rows(), await app.position()];
      const planned = await app.log.replay({ bookmark: moment.bookmark }, { dryRun: true });
      expectSameRows(await app.rows(), rows);
      expect(await app.position()).to.equal(position);
      expect(planned.rows).to.deep.equal({ inserted: 0, updated: 2, deleted: 0, kept: 0 });
      expect(planned).to.include({ recorded: 2, drift: 2, events: 3 });
      expect(planned.auditOnly).to.deep.equal(["Visit"]);
      expect(
        planned.plan.map(({ entity, action, version, events, handler }) => ({
          entity,
          action,
          version,
          events,
          handler,
        })),
      ).to.deep.equal([
        { entity: "Order", action: "create", version: 1, events: 1, handler: "direct" },
        { entity: "Order", action: "update", version: 1, events: 1, handler: "direct" },
        { entity: "Person", action: "create", version: 1, events: 2, handler: "direct" },
        { entity: "Visit", action: "create", version: 1, events: 1, handler: "audit only" },
      ]);
      const { rows: done, recorded, drift } = await app.log.replay({ bookmark: moment.bookmark });
      expect({ rows: done, recorded, drift }).to.deep.equal({ rows: planned.rows, recorded: 2, drift: 2 });
    });

    it("counts what a rebuild would delete and insert", async () => {
      await write();
      await app.spoil("delete from person where id = 2");
      const planned = await app.log.replay(undefined, { dryRun: true, apply: "rebuild" });
      expect(planned.rows).to.deep.equal({ inserted: 3, updated: 0, deleted: 2, kept: 0 });
      expect((await app.log.replay(undefined, { apply: "rebuild" })).rows).to.deep.equal(planned.rows);
    });
  });

  describe("unknownRows", () => {
    const unknown = "insert into person (id, mail) values (100, 'unknown@example.org')";

    it("refuses rows that the log does not know, and tells how many of which entity", async () => {
      await write();
      await app.spoil(unknown, "insert into \"order\" (id, \"personId\", state) values (100, 100, 'x'), (101, 1, 'x')");
      const rows = await app.rows();
      const error = await rejectionOf(app.log.replay());
      expect(error).to.include({ code: "REPLAY_UNKNOWN_ROWS" });
      expect(error.details).to.deep.equal({
        unknown: [
          { entity: "Person", rows: 1 },
          { entity: "Order", rows: 2 },
        ],
      });
      expectSameRows(await app.rows(), rows);
    });

    it("keeps them, also when the rest goes to the past", async () => {
      const { moment } = await write();
      await app.spoil(unknown);
      const report = await app.log.replay({ bookmark: moment.bookmark }, { unknownRows: "keep" });
      expect(report.rows).to.include({ deleted: 1, updated: 1 });
      expect(report.drift).to.equal(0);
      expect((await people().find({ order: { id: "ASC" } })).map(({ id }) => id)).to.deep.equal([1, 100]);
    });

    it("deletes them", async () => {
      await write();
      await app.spoil(unknown);
      expect((await app.log.replay(undefined, { unknownRows: "delete" })).rows).to.include({ deleted: 1 });
      await expectEqual(app, "after unknown rows went");
    });

    it("refuses to keep a row that refers to one which goes", async () => {
      const { moment } = await write();
      await app.spoil('insert into "order" (id, "personId", state) values (100, 2, \'x\')');
      const rows = await app.rows();
      const error = await rejectionOf(app.log.replay({ bookmark: moment.bookmark }, { unknownRows: "keep" }));
      expect(error).to.include({ code: "REPLAY_BLOCKED_BY_REFERENCES" });
      const dry = app.log.replay({ bookmark: moment.bookmark }, { unknownRows: "keep", dryRun: true });
      expect((await rejectionOf(dry)).details).to.deep.equal(error.details);
      expectSameRows(await app.rows(), rows);
    });
  });

  describe('apply: "rebuild"', () => {
    it("writes every row anew, so that what the log does not have gets its default", async () => {
      const { order } = await write();
      const before = await orders().findOneByOrFail({ id: order.id });
      expect((await app.log.replay(undefined, { apply: "rebuild" })).rows).to.deep.equal({
        inserted: 3,
        updated: 0,
        deleted: 3,
        kept: 0,
      });
      expect(await orders().findOneByOrFail({ id: order.id })).to.deep.equal(Object.assign(before, { seen: 0 }));
      await expectEqual(app, "after the rebuild");
      expectUntouched(await app.log.replay());
    });

    it("goes to the past too, and records what that changes", async () => {
      const { moment } = await write();
      const report = await app.log.replay({ bookmark: moment.bookmark }, { apply: "rebuild" });
      expect(report).to.include({ recorded: 2 });
      expect(await people().count()).to.equal(1);
      await expectEqual(app, "after the rebuild");
    });

    it("is refused where rows of other tables refer to rows that it deletes, with the list", async () => {
      const { order } = await write();
      await app.dataSource.getRepository(Parcel).save([{ order }, { order }, { order: null }]);
      const rows = await app.rows();
      const error = await rejectionOf(app.log.replay(undefined, { apply: "rebuild" }));
      expect(error).to.include({ code: "REPLAY_BLOCKED_BY_REFERENCES" });
      const { references } = error.details as { references: Record<string, unknown>[] };
      expect(references).to.have.length(1);
      expect(references[0]).to.include({ table: "public.parcel", rows: 2 });
      const foreseen = await rejectionOf(app.log.replay(undefined, { apply: "rebuild", dryRun: true }));
      expect(foreseen).to.include({ code: error.code, message: error.message });
      expectSameRows(await app.rows(), rows);
    });

    it("calls the application's own clearing in its place, in the same transaction", async () => {
      const { order } = await write();
      await app.dataSource.getRepository(Parcel).save({ order });
      const { log, dataSource } = await app.open({
        ...app.setting,
        replay: {
          clear: async (manager) => {
            await manager.transaction((nested) => nested.query("delete from parcel"));
            await manager.getRepository(Order).deleteAll();
            await manager.query("truncate person cascade");
          },
        },
      });
      const position = await app.position();
      expect((await log.replay(undefined, { apply: "rebuild" })).rows).to.include({ deleted: 3, inserted: 3 });
      expect(await app.position(), "events of the clearing").to.equal(position);
      expect(await app.dataSource.getRepository(Parcel).count()).to.equal(0);
      await expectEqual(app, "after the rebuild");
      const rows = await app.rows();
      const failing = await app.open({
        ...app.setting,
        replay: {
          clear: async (manager) => {
            await manager.query('delete from "order"');
            throw new Error("no further");
          },
        },
      });
      expect((await rejectionOf(failing.log.replay(undefined, { apply: "rebuild" }))).message).to.equal("no further");
      expectSameRows(await app.rows(), rows);
      await dataSource.destroy();
    });
  });

  describe("validate", () => {
    it("refuses rows that the entities' own decorators refuse, by record and property, never by value", async () => {
      await write();
      await people().save([
        { mail: "not a mail", address: { zip: 1 } },
        { mail: "eve@example.org", address: { zip: 1_000_000 } },
      ]);
      await app.wipe();
      const rows = await app.rows();
      const error = await rejectionOf(app.log.replay(undefined, { validate: true }));
      expect(error).to.include({ code: "REPLAY_INVALID_ROWS" });
      expect(
        (error.details as { rows: { recordId: { id: number } }[] }).rows.toSorted(
          (a, b) => a.recordId.id - b.recordId.id,
        ),
      ).to.deep.equal([
        { entity: "Person", recordId: { id: 3 }, properties: ["mail"] },
        { entity: "Person", recordId: { id: 4 }, properties: ["address.zip"] },
      ]);
      expect(JSON.stringify(error) + error.message).to.not.include("not a mail");
      expect(await app.rows()).to.deep.equal(rows);
    });

    it("lets rows pass that are valid, and those of a point in time alone", async () => {
      const { moment } = await write();
      await people().save({ mail: "not a mail", address: { zip: 1 } });
      expect(await rejectionOf(app.log.replay(undefined, { validate: true, dryRun: true }))).to.include({
        code: "REPLAY_INVALID_ROWS",
      });
      const { rows } = await app.log.replay({ bookmark: moment.bookmark }, { validate: true });
      expect(rows).to.include({ deleted: 2 });
    });
  });

  describe("onProgress and signal", () => {
    it("count up to a total that is known from the first step on", async () => {
      const { moment } = await write();
      for (const point of [undefined, { bookmark: moment.bookmark }]) {
        for (const options of [{}, { validate: true }, { dryRun: true }]) {
          const told: { step: string; done: number; total: number }[] = [];
          await app.log.replay(point, { ...options, onProgress: (progress) => told.push(progress) });
          const { total } = told[0] ?? expect.fail("no progress");
          expect(told.map(({ done }) => done)).to.deep.equal(Array.from({ length: total }, (_, index) => index + 1));
          expect(new Set(told.map((progress) => progress.total))).to.deep.equal(new Set([total]));
        }
      }
    });

    it("abort at every step and leave live as it was", async () => {
      const { moment } = await write();
      await app.spoil("update person set mail = 'spoilt@example.org'");
      const [rows, position] = [await app.rows(), await app.position()];
      let steps = 1;
      for (let at = 1; at <= steps; at++) {
        const controller = new AbortController();
        const replay = app.log.replay(
          { bookmark: moment.bookmark },
          {
            signal: controller.signal,
            onProgress: ({ done, total }) => {
              steps = total;
              if (done === at) controller.abort();
            },
          },
        );
        expect(await rejectionOf(replay), `aborted at step ${at}`).to.include({ code: "REPLAY_ABORTED" });
        expectSameRows(await app.rows(), rows);
        expect(await app.position()).to.equal(position);
      }
      expect(steps).to.be.greaterThan(4);
    });

    it("abort a statement that runs, and the wait for writers", async () => {
      await write();
      const writer = app.dataSource.createQueryRunner();
      await writer.startTransaction();
      const controller = new AbortController();
      const replay = app.log.replay(undefined, { signal: controller.signal });
      setTimeout(() => controller.abort(), 200);
      expect(await rejectionOf(replay)).to.include({ code: "REPLAY_ABORTED" });
      await writer.rollbackTransaction();
      await writer.release();
      const blocker = await app.connect();
      await blocker.query("begin; lock table chronicle.event in access exclusive mode");
      const early = new AbortController();
      const blocked = app.log.replay(undefined, { signal: early.signal });
      setTimeout(() => early.abort(), 200);
      expect(await rejectionOf(blocked)).to.include({ code: "REPLAY_ABORTED" });
      await blocker.query("rollback");
    });
  });

  describe("lockTimeoutMs", () => {
    it("ends the wait for a moment without writers, and leaves live as it was", async () => {
      const { order } = await write();
      await app.spoil("update person set mail = 'spoilt@example.org'");
      const writer = app.dataSource.createQueryRunner();
      await writer.startTransaction();
      await writer.manager.update(Order, order.id, { state: "held" });
      expect(await rejectionOf(app.log.replay(undefined, { lockTimeoutMs: 100 }))).to.include({
        code: "REPLAY_LOCK_TIMEOUT",
      });
      await writer.commitTransaction();
      await writer.release();
      expect((await app.log.replay()).drift).to.equal(2);
    });
  });

  it("never touch entities for audit only, whose rows stay as they are", async () => {
    const { moment } = await write();
    await app.dataSource.getRepository(Visit).save({ page: "/late" });
    await app.sql("update visit set page = 'changed' where id = 1");
    expect((await app.log.replay({ bookmark: moment.bookmark })).auditOnly).to.deep.equal(["Visit"]);
    expect(await app.sql("select page from visit order by id")).to.deep.equal([{ page: "changed" }, { page: "/late" }]);
    expect(await app.events({ entity: Visit })).to.have.length(3);
  });
});
