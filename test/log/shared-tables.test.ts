import { expect } from "chai";
import { Column, Entity, JoinTable, ManyToMany, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { Sensitive, Tracked, type TrackedOptions } from "../../src/index.js";
import { trackedTables } from "../../src/log/tracked-tables.js";
import { Application, proveReplay } from "../replay/application.js";

type Class = new () => object;

const both = { synchronize: false, name: "post_tag" } as const;
const sides = (own: string, other: string) =>
  ({ ...both, joinColumn: { name: own }, inverseJoinColumn: { name: other } }) as const;

/** A post with tags; `inverse` says that the tags have the join table too. */
function blog({
  inverse = false,
  post = {},
  tag = {},
}: { inverse?: boolean; post?: TrackedOptions; tag?: TrackedOptions } = {}) {
  @Entity({ name: "post" })
  @Tracked(post)
  class Post {
    @PrimaryGeneratedColumn() id!: number;
    @ManyToMany(() => Tag, (other) => other.posts) @JoinTable(sides("postId", "tagId")) tags!: Relation<Tag>[];
  }
  @Entity({ name: "tag" })
  @Tracked(tag)
  class Tag {
    @PrimaryGeneratedColumn() id!: number;
    @ManyToMany(() => Post, (other) => other.tags) posts!: Relation<Post>[];
  }
  if (inverse) JoinTable(sides("tagId", "postId"))(Tag.prototype, "posts");
  return { Post, Tag };
}

/** An entity that is written for the junction's table, with the junction's key in another order. */
function link(options?: TrackedOptions, schema?: string): Class {
  @Entity({ name: "post_tag", synchronize: false, ...(schema === undefined ? {} : { schema }) })
  class PostTag {
    @PrimaryColumn("integer") tagId!: number;
    @PrimaryColumn("integer") postId!: number;
    @Column("text", { nullable: true }) note!: string | null;
    @Column("text", { nullable: true }) @Sensitive() secret!: string | null;
  }
  if (options !== undefined) Tracked(options)(PostTag);
  return PostTag;
}

/** One with an id of its own. */
function linkWithId(options?: TrackedOptions): Class {
  @Entity({ name: "post_tag", synchronize: false })
  class PostTag {
    @PrimaryGeneratedColumn("uuid") id!: string;
    @Column("integer") postId!: number;
    @Column("integer") tagId!: number;
    @Column("text", { nullable: true }) note!: string | null;
    @Column("text", { nullable: true }) @Sensitive() secret!: string | null;
  }
  if (options !== undefined) Tracked(options)(PostTag);
  return PostTag;
}

const table = (key: string) => `
  create table post_tag (id uuid not null default gen_random_uuid(),
    "postId" integer not null references post on delete cascade, "tagId" integer not null references tag on delete cascade,
    note text, secret text, primary key (${key}), unique ("postId", "tagId"))`;
const composite = table('"postId", "tagId"');

interface Mapping {
  readonly entities: ReturnType<typeof blog>;
  readonly link?: Class;
  readonly table?: string;
  /** The name in the log. */
  readonly entity: string;
}

const mappings: Readonly<Record<string, () => Mapping>> = {
  "a join table on both sides": () => ({ entities: blog({ inverse: true }), entity: "Post.tags" }),
  "a join table on both sides, whose other side comes first by its name": () => ({
    entities: blog({ inverse: true, tag: { name: "Category" } }),
    entity: "Category.posts",
  }),
  "an entity for the join table": () => ({ entities: blog(), link: link({}), entity: "PostTag" }),
  "an entity for the join table by a name of its own": () => ({
    entities: blog({ inverse: true }),
    link: link({ name: "Tagging", formerly: ["Label"], version: 3 }),
    entity: "Tagging",
  }),
  "an entity for the join table that names the schema": () => ({
    entities: blog(),
    link: link({}, "public"),
    entity: "PostTag",
  }),
  "an entity for the join table that is not tracked": () => ({ entities: blog(), link: link(), entity: "Post.tags" }),
  "an entity with an id for the join table": () => ({
    entities: blog(),
    link: linkWithId({}),
    table: table("id"),
    entity: "PostTag",
  }),
  "an entity with an id for the join table of both sides": () => ({
    entities: blog({ inverse: true }),
    link: linkWithId({}),
    table: table("id"),
    entity: "PostTag",
  }),
  "an entity with an id for the join table that is not tracked": () => ({
    entities: blog({ inverse: true }),
    link: linkWithId(),
    table: table("id"),
    entity: "Post.tags",
  }),
};

describe("a table that is mapped more than once", function () {
  this.timeout(60_000);
  let app: Application | undefined;
  afterEach(async () => {
    await app?.stop();
    app = undefined;
  });

  for (const [how, make] of Object.entries(mappings)) {
    for (const capture of ["trigger", "subscriber"] as const) {
      it(`is tracked once with ${how}, under ${capture} capture`, async () => {
        const { entities, link: linked, table: sql = composite, entity } = make();
        const { Post, Tag } = entities;
        const own = linked ?? [];
        app = new Application({ capture, entities: [Post, Tag, own].flat(), after: sql });
        await app.start();
        const { manager } = app.dataSource;
        expect(
          await app.sql(
            `select t.entity, (select array_agg(x order by x) from unnest(t.key_columns) x) as keys, i.keys as wanted
             from chronicle.tracked t, lateral (
               select array_agg(attname::text order by attname) as keys from pg_index join pg_attribute a on a.attrelid = indrelid
               where indrelid = t.table_oid and indisprimary and attnum = any (indkey)) i
             where t.table_oid = 'post_tag'::regclass and t.key_columns @> i.keys and t.key_columns <@ i.keys`,
          ),
        ).to.have.length(1);
        const tags = await manager.save([new Tag(), new Tag(), new Tag()]);
        const [first, second, third] = tags as [
          InstanceType<typeof Tag>,
          InstanceType<typeof Tag>,
          InstanceType<typeof Tag>,
        ];
        const [post, more] = (await manager.save([new Post(), new Post()])) as [object, { id: number }];
        // With join tables on both sides, TypeORM writes the right columns from the second of them only.
        await proveReplay(app, [
          () => manager.save([Object.assign(first, { posts: [post] }), Object.assign(second, { posts: [post, more] })]),
          () => manager.save([Object.assign(first, { posts: [] }), Object.assign(third, { posts: [more, post] })]),
          ...(linked === undefined
            ? []
            : [
                () => {
                  const row = { postId: more.id, tagId: first.id, note: "plain", secret: "hidden" };
                  return manager.save(linked, manager.create(linked, row));
                },
                async () => {
                  const row = await manager.findOneByOrFail(linked, { tagId: first.id, note: "plain" });
                  await manager.save(linked, Object.assign(row, { note: "changed" }));
                },
                () => manager.delete(linked, { tagId: second.id }),
              ].slice(0, capture === "trigger" ? 3 : 2)),
        ]);
        const events = (await app.events()).filter(({ origin }) => origin === "capture");
        const names = new Set(events.map((event) => event.entity));
        expect([...names].toSorted()).to.deep.equal(
          [entity, "Post", how.includes("name,") || entity === "Category.posts" ? "Category" : "Tag"].toSorted(),
        );
        expect(JSON.stringify(events)).to.not.include("hidden");
        const positions = events.filter((event) => event.entity === entity).map(({ position }) => position);
        for (const name of [entity, "Post.tags"])
          expect((await app.events({ entity: name, origin: "capture" })).map(({ position }) => position)).to.deep.equal(
            positions,
          );
        if (linked !== undefined) expect(JSON.stringify(events)).to.include("plain").and.include("changed");
        expect((await app.log.status()).findings).to.deep.equal([]);
      });
    }
  }

  it("is replayed with each of the entities that own it", async () => {
    for (const [Owner, other] of [
      ["Post", "tags"],
      ["Tag", "posts"],
    ] as const) {
      const { Post, Tag } = blog({ inverse: true });
      app = new Application({ entities: [Post, Tag], after: composite });
      await app.start();
      const { manager } = app.dataSource;
      await manager.save(Object.assign(new Post(), { tags: [await manager.save(new Tag())] }));
      const { bookmark } = await app.moment();
      await app.sql("delete from post_tag");
      await app.log.replay({ bookmark }, { entities: [Owner] });
      expect(await app.sql("select from post_tag"), `${Owner}.${other}`).to.have.length(1);
      await app.stop();
      app = undefined;
    }
  });

  it("takes the options of an owner that is replayed, not of one that is for audit only", async () => {
    const audited: TrackedOptions = { auditOnly: true, actions: ["create"], version: 4 };
    const { Post, Tag } = blog({ inverse: true, post: audited, tag: { version: 2 } });
    app = new Application({ entities: [Post, Tag], after: composite });
    await app.start();
    expect(
      await app.sql(
        "select entity, actions, audit_only, versions from chronicle.tracked where table_name = 'public.post_tag'",
      ),
    ).to.deep.equal([
      {
        entity: "Tag.posts",
        actions: ["create", "update", "destroy"],
        audit_only: false,
        versions: { create: 2, update: 2, destroy: 2 },
      },
    ]);
  });

  it("is named the same in whatever order the classes are made", async () => {
    @Entity({ name: "one" })
    class Late {
      @PrimaryGeneratedColumn() id!: number;
    }
    @Entity({ name: "one" })
    @Tracked({ name: "One" })
    class Early {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { nullable: true }) word!: string;
    }
    Tracked({ name: "One" })(Late);
    app = new Application({ entities: [Late, Early] });
    await app.start();
    expect(trackedTables(app.dataSource).map(({ metadata }) => metadata.target)).to.deep.equal([Early]);
  });
});
