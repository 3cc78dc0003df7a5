import { expect } from "chai";
import { Column, Entity, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { Sensitive, Tracked, withRequestContext } from "../../src/index.js";
import { application, expectEqual, proveReplay, rejectionOf } from "./application.js";

@Entity()
@Tracked({ exclude: ["seen"] })
class Account {
  @PrimaryGeneratedColumn("identity", { generatedIdentity: "ALWAYS" }) id!: number;
  @Column("text", { unique: true }) mail!: string;
  @Column("text", { nullable: true }) @Sensitive() secret!: string | null;
  @Column("integer", { default: 0 }) seen!: number;
}

@Entity()
@Tracked()
class Line {
  @PrimaryColumn("text") book!: string;
  @PrimaryColumn("timestamp with time zone") at!: Date;
  @Column("jsonb", { nullable: true }) note!: unknown;
  @ManyToOne(() => Account) account!: Relation<Account> | null;
}

@Entity()
@Tracked({ auditOnly: true })
class Visit {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") page!: string;
}

const at = new Date("2026-03-01T10:00:00.250Z");

describe("revert", function () {
  this.timeout(30_000);
  const app = application({ entities: [Account, Line, Visit] });
  const accounts = () => app.dataSource.getRepository(Account);
  const lines = () => app.dataSource.getRepository(Line);

  it("updates one record, as a new event with who, why and the point, and leaves the rest of the tables alone", async () => {
    const [one, two] = await accounts().save([
      { mail: "one@x", secret: "s1", seen: 5 },
      { mail: "two@x", secret: "s2" },
    ]);
    const before = await app.log.bookmark("before");
    await accounts().updateAll({ secret: "changed", seen: 9 });
    await accounts().update(one?.id ?? 0, { mail: "new@x" });
    const event = await withRequestContext(
      { actor: { type: "user", id: 7, name: "Ada" }, metadata: { ticket: 12 } },
      () => app.log.revert(Account, one?.id ?? 0, { bookmark: "before" }),
    );
    expect(event).to.deep.include({
      entity: "Account",
      action: "update",
      origin: "revert",
      recordId: { id: one?.id },
    });
    expect(event?.data).to.deep.equal({ mail: "one@x" });
    expect(event?.actor).to.deep.equal({ type: "user", id: "7", name: "Ada" });
    expect(event?.metadata).to.deep.include({ ticket: 12 });
    expect(event?.metadata.revert).to.deep.include({ position: String(before.position), leftOut: [] });
    expect(event?.position).to.equal(await app.position());
    expect(await accounts().find({ order: { id: "ASC" } })).to.deep.equal([
      { id: one?.id, mail: "one@x", secret: "s1", seen: 9 },
      { id: two?.id, mail: "two@x", secret: "changed", seen: 9 },
    ]);
    await expectEqual(app, "after the revert");
  });

  it("waits no longer than lock_timeout for a transaction that holds the record, such as the caller's own", async () => {
    const { id } = await accounts().save({ mail: "one@x" });
    const { name: bookmark } = await app.log.bookmark("before");
    const setting = (what: string) =>
      app.sql(`do $$ begin execute format('alter database %I ${what}', current_database()); end $$`);
    await setting("set lock_timeout = 200");
    try {
      const error = await app.dataSource.transaction(async (manager) => {
        await manager.update(Account, id, { mail: "two@x" });
        return rejectionOf(app.log.revert(Account, id, { bookmark }));
      });
      expect(error).to.have.property("code", "REPLAY_LOCK_TIMEOUT");
      expect(error.message).to.match(/holds the record.*your own/);
    } finally {
      await setting("reset lock_timeout");
    }
    expect(await accounts().findOneBy({ id })).to.include({ mail: "two@x" });
  });

  it("creates a record that was removed, under its key, and destroys one that was not there", async () => {
    const one = await accounts().save({ mail: "one@x", secret: "s" });
    const { bookmark } = await app.moment();
    await accounts().delete(one.id);
    expect(await app.log.revert(Account, one.id, { bookmark })).to.include({ action: "create", origin: "revert" });
    expect(await accounts().findOneByOrFail({ id: one.id })).to.include({ mail: "one@x", secret: "s" });
    const late = await accounts().save({ mail: "late@x" });
    expect(await app.log.revert(Account, late.id, { bookmark })).to.include({
      action: "destroy",
      origin: "revert",
    });
    expect(await accounts().count()).to.equal(1);
    await expectEqual(app, "after both");
  });

  it("gives null and records nothing where nothing differs", async () => {
    const one = await accounts().save({ mail: "one@x" });
    const position = await app.position();
    expect(await app.log.revert(Account, one.id, position)).to.equal(null);
    expect(await app.log.revert(Account, 4711, position)).to.equal(null);
    expect(await app.position()).to.equal(position);
  });

  it("brings back a record with a key of several columns, documents and all", async () => {
    await lines().save({ book: "a", at, note: { deep: [1, null] } });
    const { bookmark } = await app.moment();
    await lines().update({ book: "a", at }, { note: "a string" });
    const event = await app.log.revert<{ note: unknown }>(Line, { book: "a", at }, { bookmark });
    expect(event?.data.note).to.deep.equal({ deep: [1, null] });
    expect((await lines().findOneByOrFail({ book: "a" })).note).to.deep.equal({ deep: [1, null] });
  });

  it("is refused by what stands in the way, with the constraint and no value, and changes nothing", async () => {
    const one = await accounts().save({ mail: "taken@x" });
    const { bookmark } = await app.moment();
    await accounts().update(one.id, { mail: "free@x" });
    const late = await accounts().save({ mail: "taken@x" });
    await lines().save({ book: "a", at, account: late });
    const rows = await app.rows();
    const [taken, referred] = [
      await rejectionOf(app.log.revert(Account, one.id, { bookmark })),
      await rejectionOf(app.log.revert(Account, late.id, { bookmark })),
    ];
    expect(taken).to.include({ code: "REPLAY_INVALID_ROWS" });
    expect(referred).to.include({ code: "REPLAY_BLOCKED_BY_REFERENCES" });
    expect(taken.message + referred.message).to.not.include("taken@x");
    expect(await app.rows()).to.deep.equal(rows);
  });

  it("is refused for a parent that is gone", async () => {
    const one = await accounts().save({ mail: "one@x" });
    await lines().save({ book: "a", at, account: one });
    const { bookmark } = await app.moment();
    await lines().delete({ book: "a" });
    await accounts().delete(one.id);
    expect(await rejectionOf(app.log.revert(Line, { book: "a", at }, { bookmark }))).to.include({
      code: "REPLAY_BLOCKED_BY_REFERENCES",
    });
  });

  it("is refused for a point before the record's baseline, and for an entity that is for audit only", async () => {
    await accounts().save({ mail: "known@x" });
    const position = await app.position();
    await app.spoil("insert into account (mail) values ('old@x')");
    await app.log.baseline();
    const { id } = await accounts().findOneByOrFail({ mail: "old@x" });
    expect(await rejectionOf(app.log.revert(Account, id, position))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect(await rejectionOf(app.log.revert(Visit, 1, position))).to.include({ code: "NOT_TRACKED" });
  });

  it("leaves a log whose replays are true, also among rewinds and other writes", async () => {
    const ids = { a: 0, b: 0 };
    let saved = 0n;
    await proveReplay(app, [
      async () => {
        const [a, b] = await accounts().save([{ mail: "a@x" }, { mail: "b@x" }]);
        Object.assign(ids, { a: a?.id, b: b?.id });
        saved = await app.position();
      },
      () => accounts().update(ids.a, { mail: "c@x" }),
      () => app.log.revert(Account, ids.a, saved),
      () => accounts().delete(ids.b),
      () => app.log.revert(Account, ids.b, saved),
    ]);
  });
});
