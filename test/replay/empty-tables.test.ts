import { expect } from "chai";
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application, rejectionOf } from "./application.js";

@Entity()
@Tracked()
class Reading {
  @PrimaryColumn("integer") id!: number;
  @Column("text") value!: string;
}

@Entity()
@Tracked()
class Shelf {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Shelf, { nullable: true })
  @JoinColumn({ name: "above_id" })
  above!: Shelf | null;
}

@Entity()
@Tracked()
class Volume {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Shelf, { nullable: false, onDelete: "CASCADE", deferrable: "INITIALLY DEFERRED" })
  @JoinColumn({ name: "shelf_id" })
  shelf!: Shelf;
  /** References a table that is not tracked. */
  @Column("integer", { name: "press_id", default: 1 }) pressId!: number;
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

describe("foreign keys of tables that a replay finds empty", () => {
  const app = application({
    entities: [Shelf, Volume],
    before: "create table press (id integer primary key)",
    after: "alter table volume add foreign key (press_id) references press deferrable initially deferred",
  });

  const keys = () =>
    app.sql<{ key: string }>(
      "select conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated as key from pg_constraint where contype = 'f' order by 1",
    );
  const emptied = async () => {
    await app.sql(
      "insert into press values (1); insert into shelf values (1, null), (2, 1), (3, 3); insert into volume (id, shelf_id) values (1, 1), (2, 2)",
    );
    const rows = await app.rows();
    await app.wipe();
    return rows;
  };

  it("are as they were afterwards, and checked", async () => {
    const before = await keys();
    const rows = await emptied();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
    expect(await keys()).to.deep.equal(before);
    for (const wrong of ["insert into volume (id, shelf_id) values (9, 9)", "insert into shelf values (9, 10)"])
      expect(await rejectionOf(app.sql(wrong))).to.have.property("code", "23503");
    await app.sql("delete from shelf where id = 2");
    expect(await app.sql("select id from volume")).to.deep.equal([{ id: 1 }]);
  });

  it("refuse a row without the one that it refers to, and leave live as it was", async () => {
    await emptied();
    await app.sql(`
      alter table chronicle.event disable trigger user;
      delete from chronicle.event where entity = 'Shelf' and record_key = '1';
      alter table chronicle.event enable trigger user`);
    const error = await rejectionOf(app.log.replay());
    expect(error).to.have.property("code", "REPLAY_BLOCKED_BY_REFERENCES");
    expect(await app.sql("select from shelf")).to.have.length(0);
    expect(await rejectionOf(app.sql("insert into volume (id, shelf_id) values (9, 9)"))).to.have.property(
      "code",
      "23503",
    );
  });

  it("are checked row by row where somebody reads a table, who is not waited for", async () => {
    const rows = await emptied();
    const reader = await app.connect();
    await reader.query("begin; select from shelf");
    await app.log.replay();
    expect((await reader.query("select from volume")).rows).to.have.length(2);
    await reader.query("commit");
    expectSameRows(await app.rows(), rows);
  });
});
