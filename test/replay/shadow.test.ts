import { expect } from "chai";
import {
  BaseEntity,
  Column,
  Entity,
  Index,
  JoinTable,
  ManyToMany,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  Unique,
} from "typeorm";
import { override, type Shadow, Tracked, upcast } from "../../src/index.js";
import { expectSameRows, type LiveRows } from "../live-rows.js";
import { application, rejectionOf } from "./application.js";

@Entity()
@Tracked({ exclude: ["secret"] })
class Author extends BaseEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") @Index() name!: string;
  @Column("text", { default: "never recorded" }) secret!: string;
  @Column({ type: "text", generatedType: "STORED", asExpression: "upper(name)" })
  loud!: string;
}

@Entity()
@Tracked()
class Tag {
  @PrimaryColumn("text") name!: string;
}

@Entity()
@Unique(["place"])
@Tracked()
class Book {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("text") title!: string;
  @Column("integer") place!: number;
  @ManyToOne(() => Author, { nullable: false }) author!: Author;
  @ManyToMany(() => Tag) @JoinTable() tags!: Tag[];
}

/** A table of the same name in another schema. */
@Entity({ name: "tag", schema: "other" })
@Tracked({ name: "OtherTag" })
class OtherTag {
  @PrimaryColumn("text") name!: string;
  @Column("numeric", { nullable: true }) weight!: string | null;
}

@Entity()
class Note {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Author) author!: Author;
}

const entities = [Author, Tag, Book, OtherTag, Note];
const shadowSchema = `select nspname from pg_namespace where nspname like '%shadow%'`;

describe("a shadow", () => {
  const app = application({ entities, before: "create schema other" });
  let past: Shadow | undefined;
  afterEach(async () => {
    await past?.drop();
    past = undefined;
    expect(await app.sql(shadowSchema), "schemas left behind").to.deep.equal([]);
  });

  /** The rows of tracked tables, in a shadow or in live, under the names of live. */
  const tracked = (rows: LiveRows, schema?: string): LiveRows =>
    new Map(
      ["public.author", "public.tag", "public.book", "public.book_tags_tag", "other.tag"].map((name) => {
        const [of = "", table = ""] = name.split(".");
        const found = schema === undefined ? name : `${schema}.${table === "tag" ? `${of}__tag` : table}`;
        const unrecorded = (row: string) => (table === "author" ? row.replaceAll('"never recorded"', "null") : row);
        return [name, (rows.get(found) ?? expect.fail(`no ${found}`)).map(unrecorded).toSorted()];
      }),
    );

  async function write(): Promise<{ author: Author; book: Book }> {
    const { manager } = app.dataSource;
    const author = await manager.save(Author, { name: "Ursula" });
    const tags = await manager.save(Tag, [{ name: "long" }, { name: "odd" }]);
    await manager.save(OtherTag, [{ name: "long", weight: "1.10" }]);
    const book = await manager.save(Book, { title: "Always", place: 1, author, tags });
    await manager.save(Book, { title: "Home", place: 2, author, tags: tags.slice(1) });
    return { author, book };
  }

  it("holds the rows as they were, which ordinary repositories read with their relations", async () => {
    const { author, book } = await write();
    const then = await app.moment();
    await app.dataSource.manager.update(Author, author.id, { name: "Changed" });
    await app.dataSource.manager.remove(Book, book);
    past = await app.log.shadow({ bookmark: then.bookmark });
    expectSameRows(tracked(await app.rows(), past.schema), tracked(then.rows));
    const [found] = await past.manager.find(Book, { where: { place: 1 }, relations: { author: true, tags: true } });
    expect(found?.author).to.include({ name: "Ursula", loud: "URSULA" });
    expect(found?.tags.map(({ name }) => name)).to.have.members(["long", "odd"]);
    expect(await past.manager.getRepository(OtherTag).find()).to.deep.equal([{ name: "long", weight: "1.10" }]);
    expect(await past.manager.createQueryBuilder(Book, "b").innerJoin("b.author", "a").getCount()).to.equal(2);
    expect(past.report).to.include({ recorded: 0, drift: 0, effectivePosition: await positionOf(then.bookmark) });
    expect(past.report.rows).to.deep.equal({ inserted: 9, updated: 0, deleted: 0, kept: 0 });
    expect(await app.dataSource.manager.findOneByOrFail(Author, { id: author.id })).to.include({ name: "Changed" });
    expect(await Author.find(), "the active record class stays on live").to.have.lengthOf(1);
    expect((await Author.find())[0]).to.include({ name: "Changed" });
  });

  const positionOf = async (bookmark: string) =>
    BigInt(
      (await app.sql("select position from chronicle.bookmark where name = $1", [bookmark]))[0]?.position as string,
    );

  it("has live's indexes and constraints, among its own tables", async () => {
    await app.sql("alter table book add constraint deferred unique (title) deferrable, add check (place > 0)");
    await write();
    past = await app.log.shadow();
    const definitions = (schema: string) =>
      app.sql(
        `select regexp_replace(replace(replace(pg_get_constraintdef(c.oid), $1 || '.', ''), 'public__', ''), 'other__', '') as definition
         from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
         where n.nspname = any ($2) and c.contype <> 'n' and c.conrelid <> all (array(select oid from pg_class where relname = 'note'))
         union all
         select regexp_replace(i.indexdef, '^.* USING ', '') from pg_indexes i where i.schemaname = any ($2) and i.tablename <> 'note'
         order by 1`,
        [schema, schema === "public" ? ["public", "other"] : [schema]],
      );
    expect(await definitions(past.schema)).to.deep.equal(await definitions("public"));
    await app.sql("alter table book drop constraint deferred");
  });

  it("refuses writes, and has nothing of entities that are not tracked", async () => {
    await write();
    past = await app.log.shadow();
    expect(await rejectionOf(past.manager.save(Tag, { name: "new" }))).to.include({ code: "CH004" });
    expect(await rejectionOf(past.manager.delete(Book, { place: 1 }))).to.match(/a shadow is read-only/);
    expect(await rejectionOf(past.manager.find(Note))).to.match(/is_not_replayed/);
    expect(await app.dataSource.manager.count(Tag)).to.equal(2);
  });

  it("brings old versions to today's shape, overrides too", async () => {
    const { dataSource, log } = await app.open({
      entities: [VersionTwoTag, ...entities.filter((entity) => entity !== Tag && entity !== Book)],
      replay: {
        upcasters: [upcast(VersionTwoTag, "create", { from: 1 }, ({ name }) => ({ name: `${String(name)}!` }))],
        overrides: [
          override(OtherTag, "create", { versions: [1], actionName: "double" }, async (event, state) => {
            await state.create(OtherTag, { ...event.data });
            await state.create(OtherTag, { ...event.data, name: `${String(event.data.name)} twice` });
          }),
          override("Book", "create", { versions: [1] }, () => undefined),
          override("Book.tags", "create", { versions: [1] }, () => undefined),
        ],
      },
    });
    await write();
    await app.sql("insert into other.tag values ('plain', 1)");
    past = await log.shadow();
    const names = await past.manager.find(VersionTwoTag, { order: { name: "asc" } });
    expect(names.map(({ name }) => name)).to.deep.equal(["long", "odd"].map((name) => `${name}!`));
    expect(past.report).to.include({ upcast: 2, overridden: 5 });
    await past.drop();
    past = undefined;
    await dataSource.destroy();
  });

  it("is what was committed when it was asked for, while writers go on", async function () {
    this.timeout(60_000);
    const { author } = await write();
    await app.sql(
      "insert into book (title, place, \"authorId\") select 'b' || n, n, $1 from generate_series(10, 509) n",
      [author.id],
    );
    let stop = false;
    let moves = 0;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let step = 0; !stop; step++) {
        await app.dataSource.transaction(async (manager) => {
          // One book goes and one comes: their number is the invariant.
          await manager.delete(Book, { place: 10 + writer * 100 + (step % 100) });
          await manager.save(Book, { title: `w${writer}`, place: 10 + writer * 100 + (step % 100), author });
        });
        moves++;
      }
    });
    try {
      for (let round = 0; round < 5; round++) {
        const before = moves;
        past = await app.log.shadow();
        expect(await past.manager.count(Book)).to.equal(502);
        await past.drop();
        past = undefined;
        expect(moves, "writes beside the shadow").to.be.greaterThan(before);
      }
    } finally {
      stop = true;
      await Promise.all(writers);
    }
  });

  it("leaves nothing when it is aborted", async () => {
    await write();
    for (const at of [1, 4, 9, 11]) {
      const controller = new AbortController();
      const making = app.log.shadow(undefined, {
        signal: controller.signal,
        onProgress: ({ done, total }) => {
          expect(total).to.equal(11);
          if (done === at) controller.abort();
        },
      });
      if (at === 11) past = await making;
      else
        expect(await rejectionOf(making))
          .to.include({ code: "REPLAY_ABORTED" })
          .and.match(/The shadow was aborted/);
      if (at < 11) expect(await app.sql(shadowSchema)).to.deep.equal([]);
    }
  });

  it("stops a long statement though it was aborted before that began", async () => {
    await write();
    const holder = await app.connect();
    await holder.query(`create function waits(id integer) returns integer language plpgsql immutable as
      'begin perform pg_advisory_xact_lock_shared(42); return id; end'; create index waits on book (waits(1)); select pg_advisory_lock(42)`);
    const controller = new AbortController();
    const making = app.log.shadow(undefined, {
      signal: controller.signal,
      onProgress: ({ step }) => step === "fold Book" && controller.abort(),
    });
    expect(await rejectionOf(making)).to.include({ code: "REPLAY_ABORTED" });
    expect(await app.sql(shadowSchema)).to.deep.equal([]);
    await holder.query("select pg_advisory_unlock(42); drop function waits cascade");
  });

  it("replaces what a shadow whose process died has left", async () => {
    await write();
    // As if the process had died in the middle: its connections are gone, and some of its tables were not made yet.
    const left = await app.log.shadow();
    await left.manager.dataSource.destroy();
    await app.sql("drop table chronicle_shadow.book cascade");
    past = await app.log.shadow();
    expect(await past.manager.count(Book)).to.equal(2);
  });

  it("refuses a schema that is not its own, and leaves it alone", async () => {
    await write();
    for (const schema of ["public", "chronicle", "other"]) {
      expect(await rejectionOf(app.log.shadow(undefined, { schema }))).to.include({ code: "OPTIONS_INVALID" });
    }
    for (const options of [{ schema: "" }, { schema: "pg_mine" }, { schema: 7 }, { scheme: "x" }]) {
      expect(await rejectionOf(app.log.shadow(undefined, options as never))).to.include({ code: "OPTIONS_INVALID" });
    }
    expect(await app.dataSource.manager.count(Book)).to.equal(2);
    expect(await app.dataSource.manager.count(OtherTag)).to.equal(1);
  });

  it("tells which event has no record to change, and leaves nothing", async () => {
    const { author } = await write();
    await app.dataSource.manager.update(Author, author.id, { name: "Later" });
    await app.sql(
      "alter table chronicle.event disable trigger append_only; delete from chronicle.event where entity = 'Author' and action = 'create'; alter table chronicle.event enable trigger append_only",
    );
    expect(await rejectionOf(app.log.shadow())).to.include({ code: "REPLAY_RECORD_MISSING" });
  });
});

@Entity("tag")
@Tracked({ name: "Tag", version: { create: 2 } })
class VersionTwoTag {
  @PrimaryColumn("text") name!: string;
}
