import { expect } from "chai";
import { Column, Entity, Index, ManyToOne, PrimaryColumn, type Relation } from "typeorm";
import { Tracked } from "../../src/index.js";
import { application, proveReplay } from "./application.js";

@Entity()
@Tracked()
class Seat {
  @PrimaryColumn("integer") id!: number;
  @Column("integer", { unique: true }) place!: number;
}

/** Nothing can be given up for a moment here: no null, no value outside the check, every value of the enum taken. */
@Entity()
@Tracked()
class Duty {
  @PrimaryColumn("integer") id!: number;
  @Column("enum", { enum: ["early", "late"], unique: true }) shift!: string;
}

@Entity()
@Tracked()
@Index(["row", "place"], { unique: true })
class Chair {
  @PrimaryColumn("integer") id!: number;
  @Column("text") row!: string;
  @Column("integer") place!: number;
}

@Entity({ synchronize: false })
@Tracked()
class Booking {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") room!: number;
  @Column("int4range") during!: string;
  @Column("text") mail!: string;
  @Column("boolean") open!: boolean;
  @Column("integer") rank!: number;
  @Column("text", { nullable: true }) slug!: string;
}

/** Rows of others go with it: it must stay where it is while it hands its code on. */
@Entity()
@Tracked()
class Team {
  @PrimaryColumn("integer") id!: number;
  @Column("varchar", { length: 3, unique: true }) code!: string;
}

@Entity()
@Tracked()
class Player {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Team, { onDelete: "CASCADE" }) team!: Relation<Team>;
}

@Entity()
class Fan {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Team, { onDelete: "CASCADE" }) team!: Relation<Team>;
}

describe("replay of unique values that kept rows hand to one another", function () {
  this.timeout(30_000);
  const app = application({
    entities: [Seat, Duty, Chair, Booking, Team, Player, Fan],
    before: `create table booking (id integer primary key, room integer not null, during int4range not null, mail text not null, open boolean not null, rank integer not null, slug text,
      exclude using gist (int4range(room, room, '[]') with &&, during with &&));
      create unique index on booking (lower(mail));
      create unique index on booking (rank) where open;
      alter table booking add constraint rank_later unique (slug) deferrable initially deferred;`,
    after: "alter table seat add check (place > 0)",
  });

  it("swaps and rotates them, whatever the check on them says", async () => {
    await proveReplay(app, [
      () => app.sql("insert into seat select n, n from generate_series(1, 5) n"),
      () => app.sql("update seat set place = place + 10; update seat set place = 16 - place"),
      () => app.sql("update seat set place = place + 100; update seat set place = (id % 5) + 1"),
      () =>
        app.sql(
          "delete from seat where id = 3; update seat set place = 100 where id = 1; insert into seat values (9, 4)",
        ),
    ]);
  });

  it("swaps values of a type that has no others", async () => {
    await proveReplay(app, [
      () => app.sql("insert into duty values (1, 'early'), (2, 'late')"),
      () => app.sql("delete from duty; insert into duty values (1, 'late'), (2, 'early')"),
      () => app.sql("delete from duty where id = 2"),
    ]);
  });

  it("swaps parts of a composite value", async () => {
    await proveReplay(app, [
      () => app.sql("insert into chair values (1, 'a', 1), (2, 'a', 2), (3, 'b', 1)"),
      () =>
        app.sql(
          "update chair set place = -place; update chair set place = 3 + place where row = 'a'; update chair set place = 1 where id = 3",
        ),
      () =>
        app.sql(
          "update chair set row = 'c' where id = 1; update chair set row = 'a', place = 2 where id = 3; update chair set row = 'b', place = 1 where id = 2",
        ),
    ]);
  });

  it("swaps values of expression, partial and deferrable indexes, and of exclusion constraints", async () => {
    await proveReplay(app, [
      () =>
        app.sql(
          "insert into booking values (1, 1, '[1,5)', 'A@x', true, 1, 'one'), (2, 1, '[5,9)', 'b@X', true, 2, 'two'), (3, 2, '[1,9)', 'c@x', false, 2, 'three')",
        ),
      () =>
        app.sql(
          "update booking set during = case id when 1 then 'empty'::int4range else during end; update booking set during = '[1,5)' where id = 2; update booking set during = '[5,9)' where id = 1",
        ),
      () =>
        app.sql(
          "update booking set mail = 'tmp' where id = 1; update booking set mail = 'a@X' where id = 2; update booking set mail = 'B@x' where id = 1",
        ),
      () => app.sql("update booking set open = false where id = 2; update booking set open = true where id = 3"),
      () => app.sql("update booking set slug = case id when 1 then 'two' when 2 then 'three' else 'one' end"),
      () =>
        app.sql(
          "update booking set rank = 7 where id = 1; update booking set rank = 1 where id = 3; update booking set rank = 2 where id = 1",
        ),
    ]);
  });

  it("swaps them between rows that others would go with", async () => {
    await app.sql(
      "insert into team values (1, 'ABC'), (2, 'DEF'), (3, 'GHI'); insert into player values (1, 1), (2, 2)",
    );
    await proveReplay(app, [
      () =>
        app.sql(
          "update team set code = 'tmp' where id = 1; update team set code = 'ABC' where id = 2; update team set code = 'DEF' where id = 1",
        ),
      () =>
        app.sql(
          "update team set code = 'tmp' where id = 1; update team set code = 'DEF' where id = 3; update team set code = 'GHI' where id = 1",
        ),
    ]);
  });

  it("keeps the untracked rows that would go with a row whose value is handed on", async () => {
    await app.sql("insert into team values (1, 'ABC'), (2, 'DEF')");
    const { bookmark } = await app.moment();
    await app.sql(
      "update team set code = 'tmp' where id = 1; update team set code = 'ABC' where id = 2; update team set code = 'DEF' where id = 1",
    );
    await app.sql("insert into fan values (1, 1), (2, 2); insert into player values (1, 1)");
    await app.log.replay({ bookmark });
    expect(await app.sql("select id, code from team order by id")).to.deep.equal([
      { id: 1, code: "ABC" },
      { id: 2, code: "DEF" },
    ]);
    expect(await app.sql("select id from fan order by id")).to.deep.equal([{ id: 1 }, { id: 2 }]);
  });
});
