import { expect } from "chai";
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { EventLogError, type Shadow, Tracked, upcast } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { Application, expectEqual, rejectionOf } from "./application.js";

@Entity()
@Tracked({ tenant: "team", exclude: ["seen"] })
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("text", { nullable: true }) mail!: string | null;
  @Column("text", { default: "red" }) team!: string;
  @Column("integer", { default: 0 }) seen!: number;
}

@Entity()
@Tracked()
class Post {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
  @ManyToOne(() => Person, { nullable: true, createForeignKeyConstraints: false })
  @JoinColumn({ name: "author_id" })
  author!: Relation<Person> | null;
}

@Entity({ synchronize: false })
@Tracked()
class Visit {
  @PrimaryColumn("integer") id!: number;
  @PrimaryColumn("integer") month!: number;
}

const entities = [Person, Post, Visit];
const visits = `create table visit (id integer, month integer, primary key (id, month)) partition by list (month);
  create table visit_1 partition of visit for values in (1);
  create table visit_2 partition of visit for values in (2);`;

/** A constraint of today that two or three posts of the past break. */
interface Broken {
  readonly what: string;
  readonly titles: readonly string[];
  readonly ddl: string;
  readonly kind: string;
  readonly constraint: string;
  readonly columns?: readonly string[];
  readonly rows?: number;
}

const broken: readonly Broken[] = [
  {
    what: "a check",
    titles: ["a", "b", "long enough"],
    ddl: "add constraint long check (length(title) > 3)",
    kind: "check",
    constraint: "long",
    rows: 2,
  },
  {
    what: "a unique constraint",
    titles: ["a", "a", "b"],
    ddl: "add constraint once unique (title)",
    kind: "unique",
    constraint: "once",
    rows: 2,
  },
  {
    what: "a unique constraint that is checked at the end",
    titles: ["a", "a", "a"],
    ddl: "add constraint late unique (title) deferrable initially deferred",
    kind: "unique",
    constraint: "late",
    rows: 3,
  },
  {
    what: "a unique index of some rows",
    titles: ["draft", "a", "a"],
    ddl: "create unique index not_drafts on post (title) where title <> 'draft'",
    kind: "unique",
    constraint: "not_drafts",
    rows: 2,
  },
  {
    what: "a unique index of an expression",
    titles: ["A", "a", "b"],
    ddl: "create unique index lowered on post (lower(title))",
    kind: "unique",
    constraint: "lowered",
    rows: 2,
  },
  {
    what: "a unique index in which nulls are equal",
    titles: ["a", "b", "c"],
    ddl: "create unique index one_null on post (author_id) nulls not distinct",
    kind: "unique",
    constraint: "one_null",
    columns: ["author_id"],
    rows: 3,
  },
  {
    what: "an exclusion constraint",
    titles: ["a", "a", "b"],
    ddl: "add constraint apart exclude using btree (title with =)",
    kind: "exclusion",
    constraint: "apart",
  },
  {
    what: "an index of an expression that fails for values of then",
    titles: ["a", "1", "2"],
    ddl: "create index numbers on post ((title::integer))",
    kind: "index",
    constraint: "numbers",
  },
];

describe("constraints that the past breaks", function () {
  this.timeout(30_000);
  const original = new Application({ entities, before: visits });
  let app: Application;
  let past: Shadow | undefined;
  before(async () => {
    await original.start();
    await original.close();
  });
  beforeEach(async () => {
    app = new Application({ entities, copyOf: original });
    await app.start();
  });
  after(() => original.stop());
  afterEach(async () => {
    await past?.drop();
    past = undefined;
    const left = await app.sql("select nspname from pg_namespace where nspname like '%shadow%'");
    await app.stop();
    expect(left, "schemas left behind").to.deep.equal([]);
  });

  /** Changes tables as a migration does, then installs. */
  async function migrate(...statements: string[]): Promise<void> {
    for (const statement of statements) await app.sql(statement);
    await app.log.install();
  }

  /** Two people of the past, and a column of today that became NOT NULL after them. */
  async function withYoungColumn(): Promise<string> {
    await app.sql("insert into person (name) values ('Ada'), ('Bo')");
    const { bookmark } = await app.moment();
    await migrate(
      "alter table person add column x text",
      "update person set x = 'set'",
      "alter table person alter column x set not null",
    );
    return bookmark;
  }

  /** Posts with these titles at a bookmark; today they are gone, and the constraint is there. */
  async function withYoungConstraint({ titles, ddl }: Pick<Broken, "titles" | "ddl">): Promise<string> {
    await app.sql("insert into post (title) select unnest($1::text[])", [titles]);
    const { bookmark } = await app.moment();
    await app.sql("delete from post; insert into post (title) values ('1234567')");
    await migrate(ddl.startsWith("create") ? ddl : `alter table post ${ddl}`);
    return bookmark;
  }

  /** The call is refused, says the same as a dry run, and changes neither rows nor log. */
  async function refused(bookmark: string, options = {}): Promise<EventLogError> {
    const [rows, position] = [await app.rows(), await app.position()];
    const planned = await rejectionOf(app.log.replay({ bookmark }, { ...options, dryRun: true }));
    const error = await rejectionOf(app.log.replay({ bookmark }, options));
    for (const found of [planned, error]) {
      expect(found).to.be.instanceOf(EventLogError).and.have.property("code", "REPLAY_INVALID_ROWS");
    }
    const detailsOf = (from: unknown) => {
      const { state: _state, broken: _broken, ...details } = (from as EventLogError).details;
      return details;
    };
    expect(detailsOf(planned), "what the dry run says").to.deep.equal(detailsOf(error));
    expect(await app.position()).to.equal(position);
    expectSameRows(await app.rows(), rows);
    return planned as EventLogError;
  }

  /** The names of constraints and indexes on a table of the shadow, and its NOT NULL columns, by plain SQL. */
  async function inShadow(table: string): Promise<{ definitions: string[]; required: string[] }> {
    const relation = `chronicle_shadow.${table}`;
    const definitions = await app.sql<{ definition: string }>(
      `select pg_get_constraintdef(oid) as definition from pg_constraint
       where conrelid = $1::regclass and contype <> 'n'
       union all select pg_get_indexdef(indexrelid) from pg_index where indrelid = $1::regclass order by 1`,
      [relation],
    );
    const required = await app.sql<{ name: string }>(
      "select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and attnotnull order by 1",
      [relation],
    );
    return {
      definitions: definitions.map(({ definition }) => definition),
      required: required.map(({ name }) => name),
    };
  }

  describe("in a shadow", () => {
    it("leave out the NOT NULL of a column that had no values then, list it, and keep the others", async () => {
      const bookmark = await withYoungColumn();
      past = await app.log.shadow({ bookmark });
      expect(past.report.leftOut).to.deep.equal([
        { entity: "Person", table: "public.person", kind: "not null", constraint: null, columns: ["x"] },
      ]);
      expect(await app.sql("select name, x from chronicle_shadow.person order by 1")).to.deep.equal([
        { name: "Ada", x: null },
        { name: "Bo", x: null },
      ]);
      expect((await inShadow("person")).required).to.deep.equal(["id", "name", "team"]);
      expect(past.report.rows).to.deep.equal({ inserted: 2, updated: 0, deleted: 0, kept: 0 });
      expect(await past.manager.count(Person)).to.equal(2);
    });

    it("leave out nothing where all of today's constraints hold", async () => {
      await withYoungColumn();
      past = await app.log.shadow();
      expect(past.report.leftOut).to.deep.equal([]);
      expect((await inShadow("person")).required).to.deep.equal(["id", "name", "team", "x"]);
    });

    for (const { what, kind, constraint, columns = ["title"], ...of } of broken) {
      it(`leave out ${what}, list it, and keep the others`, async () => {
        const bookmark = await withYoungConstraint(of);
        past = await app.log.shadow({ bookmark });
        expect(past.report.leftOut).to.deep.equal([
          { entity: "Post", table: "public.post", kind, constraint, columns },
        ]);
        expect(await app.sql("select title from chronicle_shadow.post order by id")).to.deep.equal(
          of.titles.map((title) => ({ title })),
        );
        const { definitions } = await inShadow("post");
        expect(definitions, "the primary key and its index").to.have.lengthOf(2);
        await past.drop();
        past = await app.log.shadow();
        expect(past.report.leftOut, "of today").to.deep.equal([]);
        expect((await inShadow("post")).definitions, "of today").to.have.lengthOf.above(2);
      });
    }

    it("leave out an index that cannot hold a value of then", async () => {
      const bookmark = await withYoungConstraint({
        titles: [noise(20_000)],
        ddl: "create index plain on post (title)",
      });
      past = await app.log.shadow({ bookmark });
      expect(past.report.leftOut).to.deep.equal([
        { entity: "Post", table: "public.post", kind: "index", constraint: "plain", columns: ["title"] },
      ]);
    });

    it("leave out a foreign key, also where only the key that it refers to is broken", async () => {
      await app.sql(
        "insert into person (name) values ('Ada'), ('Ada'); insert into post (title, author_id) values ('a', 9)",
      );
      const { bookmark } = await app.moment();
      await app.sql("update person set name = 'Bo' where id = 2; update post set author_id = 1");
      await migrate(
        "alter table post add constraint by foreign key (author_id) references person",
        "alter table person add constraint known unique (name)",
        "alter table post add column writer text",
        "alter table post add constraint named foreign key (writer) references person (name)",
      );
      past = await app.log.shadow({ bookmark });
      expect(past.report.leftOut).to.have.deep.members([
        { entity: "Person", table: "public.person", kind: "unique", constraint: "known", columns: ["name"] },
        { entity: "Post", table: "public.post", kind: "foreign key", constraint: "by", columns: ["author_id"] },
        { entity: "Post", table: "public.post", kind: "foreign key", constraint: "named", columns: ["writer"] },
      ]);
      expect((await past.manager.findOneByOrFail(Post, { title: "a" })).title).to.equal("a");
    });

    it("are an error where a domain has them, which names the column", async () => {
      const bookmark = await withYoungDomain();
      const error = await rejectionOf(app.log.shadow({ bookmark }));
      expect(error).to.include({ code: "REPLAY_INVALID_ROWS" });
      expect(error.details).to.deep.include({ entity: "Post", column: "title", constraint: "three" });
      expect(error.message).to.match(/"three" of the domain "word" in the column "title"/);
    });
  });

  /** A title that today's domain refuses. */
  async function withYoungDomain(): Promise<string> {
    await app.sql("insert into post (title) values ('a')");
    const { bookmark } = await app.moment();
    await app.sql("update post set title = 'long enough'");
    await migrate(
      "create domain word as text constraint three check (length(value) > 3)",
      "alter table post alter column title type word",
    );
    return bookmark;
  }

  describe("in a replay", () => {
    it("refuse it for a NOT NULL column without values, with the column and the number of rows", async () => {
      const error = await refused(await withYoungColumn());
      expect(error.details).to.deep.include({ entity: "Person", table: "public.person", column: "x", rows: 2 });
      expect(error.message).to.match(/^2 rebuilt rows of Person break the NOT NULL of the column "x"/);
      expect(error.hint)
        .to.match(/got its values later.*`shadow\(\)`/)
        .and.not.match(/upcaster/);
      expect(await app.sql("select x from person")).to.deep.equal([{ x: "set" }, { x: "set" }]);
    });

    it("refuse it for such a column before the tables are locked", async () => {
      const bookmark = await withYoungColumn();
      const steps: string[] = [];
      await rejectionOf(app.log.replay({ bookmark }, { onProgress: ({ step }) => steps.push(step) }));
      expect(steps).to.include("fold Person").and.not.include("lock the tables");
    });

    for (const { what, constraint, rows, ...of } of broken) {
      it(`refuse it for ${what}, as a dry run says`, async () => {
        const error = await refused(await withYoungConstraint(of));
        expect(error.details).to.deep.include({ entity: "Post", table: "public.post", constraint });
        expect(error.details.rows).to.equal(rows);
        expect(error.message).to.include(`"${constraint}"`);
      });
    }

    it("refuse it where rows that stay hold a unique value", async () => {
      await app.sql("insert into post (title) values ('a')");
      const { bookmark } = await app.moment();
      await app.sql("delete from post");
      await migrate("alter table post add constraint once unique (title)");
      await app.spoil("insert into post (title) values ('a')");
      const error = await refused(bookmark, { unknownRows: "keep" });
      expect(error.details).to.deep.include({ entity: "Post", constraint: "once", rows: 2 });
      await app.log.replay({ bookmark }, { unknownRows: "delete" });
      expect(await app.sql("select title from post")).to.deep.equal([{ title: "a" }]);
    });

    it("refuse it where another tenant holds a unique value", async () => {
      await app.sql("insert into person (name, team) values ('Ada', 'red')");
      const { bookmark } = await app.moment();
      await app.sql("delete from person; insert into person (name, team) values ('Ada', 'blue')");
      await migrate("alter table person add constraint known unique (name)");
      const error = await refused(bookmark, { tenant: "red" });
      expect(error.details).to.deep.include({ entity: "Person", constraint: "known", rows: 2 });
    });

    it("refuse it for values that only the column's collation holds for equal", async () => {
      await migrate(
        "create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "alter table post alter column title type text collate loose",
      );
      const error = await refused(
        await withYoungConstraint({ titles: ["A", "a"], ddl: "add constraint once unique (title)" }),
      );
      expect(error.details).to.deep.include({ constraint: "once", rows: 2 });
    });

    it("refuse it for what constraints of generated columns refuse", async () => {
      await migrate("alter table post add column short text generated always as (left(title, 1)) stored");
      const error = await refused(
        await withYoungConstraint({
          titles: ["apple", "ant"],
          ddl: "add constraint first_letter unique (short)",
        }),
      );
      expect(error.details).to.deep.include({ constraint: "first_letter", rows: 2 });
    });

    it("refuse it for rows that no partition is for any more", async () => {
      await app.sql("insert into visit select n, n from generate_series(1, 2) n");
      const { bookmark } = await app.moment();
      await app.sql("delete from visit where month = 2");
      await migrate("drop table visit_2");
      const error = await refused(bookmark);
      expect(error.details).to.deep.include({ entity: "Visit", table: "public.visit", rows: 1 });
      expect(error.message).to.match(/partition/);
    });

    it("name all that is broken, in one dry run", async () => {
      await app.sql("insert into post (title) values ('a'), ('a')");
      const bookmark = await withYoungColumn();
      await app.sql("delete from post");
      await migrate(
        "alter table post add constraint once unique (title), add constraint long check (length(title) > 3)",
      );
      const error = await rejectionOf(app.log.replay({ bookmark }, { dryRun: true }));
      expect(error.details).to.have.deep.property("broken", [
        { entity: "Person", table: "public.person", column: "x", rows: 2 },
        { entity: "Post", table: "public.post", constraint: "long", rows: 2 },
        { entity: "Post", table: "public.post", constraint: "once", rows: 2 },
      ]);
      for (const name of ["x", "long", "once"]) expect(error.message).to.include(`"${name}"`);
    });

    it("are no obstacle where only rows that are not touched break them", async () => {
      await app.sql("insert into post (title) values ('a'), ('b')");
      await migrate("alter table post add constraint long check (length(title) > 3) not valid");
      const { bookmark } = await app.moment();
      await app.sql("insert into post (title) values ('another')");
      const planned = await app.log.replay({ bookmark }, { dryRun: true });
      const done = await app.log.replay({ bookmark });
      expect(planned.rows).to.deep.equal({ inserted: 0, updated: 0, deleted: 1, kept: 2 });
      expect(done.rows).to.deep.equal(planned.rows);
      await expectEqual(app, "after the replay");
      const rebuild = await refused(bookmark, { apply: "rebuild" });
      expect(rebuild.details).to.deep.include({ constraint: "long", rows: 2 });
      await app.sql("delete from post; insert into post (title) values ('another')");
      expect((await refused(bookmark)).details).to.deep.include({ constraint: "long", rows: 2 });
    });

    it("are left to the replay where they need a column that is not recorded", async () => {
      await app.sql("insert into person (name) values ('Ada')");
      const { bookmark } = await app.moment();
      await app.sql("update person set name = 'Bo', seen = 1");
      await migrate("alter table person add constraint seen_once check (seen is not null), add unique (seen)");
      const options = { unknownRows: "keep" } as const;
      expect((await app.log.replay({ bookmark }, { ...options, dryRun: true })).rows).to.include({ updated: 1 });
      expect((await app.log.replay({ bookmark }, options)).rows).to.include({ updated: 1 });
      expect(await app.sql("select name, seen from person")).to.deep.equal([{ name: "Ada", seen: 1 }]);
    });

    it("are named too where the tables differ from the log, and not the past from today", async () => {
      await app.sql("insert into person (name, mail) values ('Ada', 'a@x'), ('Bo', null)");
      await app.spoil("update person set mail = 'b@x' where name = 'Bo'");
      await migrate("alter table person alter column mail set not null");
      for (const options of [{ dryRun: true }, {}]) {
        const error = await rejectionOf(app.log.replay(undefined, options));
        expect(error).to.include({ code: "REPLAY_INVALID_ROWS" });
        expect(error.details).to.deep.include({ entity: "Person", column: "mail", rows: 1 });
      }
      expect(await app.sql("select mail from person order by id")).to.deep.equal([{ mail: "a@x" }, { mail: "b@x" }]);
    });

    it("speak of upcasters where there are some", async () => {
      const bookmark = await withYoungColumn();
      const { log } = await app.open({
        entities,
        replay: { upcasters: [upcast(Person, "create", { from: 1 }, (data) => data)] },
      });
      for (const options of [{ dryRun: true }, {}]) {
        const error = await rejectionOf(log.replay({ bookmark }, options));
        expect(error.details).to.deep.include({ column: "x", rows: 2 });
        expect((error as EventLogError).hint).to.match(/upcaster/);
      }
    });

    it("are named by every call that a domain refuses a value in", async () => {
      const bookmark = await withYoungDomain();
      await app.spoil("update post set title = 'other'");
      const calls = {
        "dry run": () => app.log.replay({ bookmark }, { dryRun: true }),
        replay: () => app.log.replay({ bookmark }),
        at: () => app.log.at(Post, 1, { bookmark }),
        changes: () => app.log.changes(Post, 1, { from: { bookmark } }),
        revert: () => app.log.revert(Post, 1, { bookmark }),
      };
      for (const [name, call] of Object.entries(calls)) {
        const error = await rejectionOf(call());
        expect(error, name).to.include({ code: "REPLAY_INVALID_ROWS" });
        expect(error.details, name).to.deep.include({ entity: "Post", column: "title", constraint: "three" });
      }
    });
  });

  describe("in a revert", () => {
    it("refuse it with the column, or the constraint, and leave the record", async () => {
      const bookmark = await withYoungColumn();
      await app.sql("insert into post (title) values ('a')");
      const second = await app.moment();
      await app.sql("update post set title = 'long enough'");
      await migrate("alter table post add constraint long check (length(title) > 3)");
      const [column, check] = [
        await rejectionOf(app.log.revert(Person, 1, { bookmark })),
        await rejectionOf(app.log.revert(Post, 1, { bookmark: second.bookmark })),
      ];
      for (const error of [column, check]) expect(error).to.include({ code: "REPLAY_INVALID_ROWS" });
      expect(column.details).to.deep.include({ entity: "Person", table: "public.person", column: "x", rows: 1 });
      expect(check.details).to.deep.include({ entity: "Post", table: "public.post", constraint: "long", rows: 1 });
      expect(await app.sql("select x from person where id = 1")).to.deep.equal([{ x: "set" }]);
      expect(await app.sql("select title from post")).to.deep.equal([{ title: "long enough" }]);
    });
  });
});

/** Text that does not compress. */
function noise(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(97 + Math.floor(Math.random() * 26))).join("");
}
