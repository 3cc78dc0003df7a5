import { Author, Basket, Post, Tag } from "../entities/blog.js";
import { anAuthor, savedAuthor, savedPost, unique, type WritePaths } from "./write-path.js";

export const queryBuilders: WritePaths = {
  insert: [
    { create: 2 },
    ({ manager }) =>
      () =>
        manager
          .createQueryBuilder()
          .insert()
          .into(Tag)
          .values([{ name: unique("one") }, { name: unique("two"), color: "red" }])
          .execute(),
  ],
  "insert without listeners": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.createQueryBuilder().insert().into(Author).values(anAuthor()).callListeners(false).execute(),
  ],
  "insert that reads nothing back": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.createQueryBuilder().insert().into(Author).values(anAuthor()).updateEntity(false).execute(),
  ],
  "insert into a table name": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager
          .createQueryBuilder()
          .insert()
          .into("tag", ["name", "color"])
          .values({ name: unique("by table"), color: "red" })
          .execute(),
  ],
  "insert from a select": [
    { create: 2 },
    async ({ manager }) => {
      const color = unique("color");
      for (const name of ["a", "b"]) await manager.insert(Tag, { name: unique(name), color });
      return () =>
        manager
          .createQueryBuilder()
          .insert()
          .into(Tag, ["name", "color"])
          .valuesFromSelect((from) =>
            from
              .select("tag.name || '!'", "name")
              .addSelect("upper(tag.color)", "color")
              .from(Tag, "tag")
              .where("tag.color = :color", { color }),
          )
          .execute();
    },
  ],
  "insert in a transaction of its own": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.createQueryBuilder().insert().into(Author).values(anAuthor()).useTransaction(true).execute(),
  ],
  "insert with function values": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager
          .createQueryBuilder()
          .insert()
          .into(Author)
          .values({ name: () => "upper('ada')", score: () => "1 + 1" })
          .execute(),
  ],
  "insert on the table that a select names": [
    { create: 1 },
    ({ dataSource }) =>
      () =>
        dataSource.createQueryBuilder(Basket, "basket").insert().values({ label: "from the DataSource" }).execute(),
  ],
  update: [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () =>
        desk.manager.createQueryBuilder().update(Author).set({ name: "Grace" }).where("id = :id", { id }).execute();
    },
  ],
  "update by a repository's builder": [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () =>
        desk.manager
          .getRepository(Author)
          .createQueryBuilder("author")
          .update()
          .set({ score: () => "score + 5" })
          .where("id = :id", { id })
          .execute();
    },
  ],
  "update, returning": [
    { update: 2 },
    async (desk) => {
      const ids = [(await savedAuthor(desk)).id, (await savedAuthor(desk)).id];
      return () =>
        desk.manager.createQueryBuilder().update(Author).set({ score: 8 }).whereInIds(ids).returning("*").execute();
    },
  ],
  "update of an entity": [
    { update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return () =>
        desk.manager.createQueryBuilder().update(Author).set({ name: "Grace" }).whereEntity(author).execute();
    },
  ],
  "update of nothing": [
    {},
    ({ manager }) =>
      () =>
        manager.createQueryBuilder().update(Author).set({ score: 8 }).where("name = 'nobody'").execute(),
  ],
  delete: [
    { destroy: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () => desk.manager.createQueryBuilder().delete().from(Author).where("id = :id", { id }).execute();
    },
  ],
  "delete, returning": [
    { destroy: 2 },
    async ({ manager }) => {
      const color = unique("color");
      for (const name of ["a", "b"]) await manager.insert(Tag, { name: unique(name), color });
      return () =>
        manager.createQueryBuilder().delete().from(Tag).where("color = :color", { color }).returning("*").execute();
    },
  ],
  softDelete: [
    { update: 1 },
    async (desk) => {
      const { id } = await savedPost(desk);
      return () => desk.manager.createQueryBuilder().softDelete().from(Post).where("id = :id", { id }).execute();
    },
  ],
  restore: [
    { update: 1 },
    async (desk) => {
      const { id } = await savedPost(desk);
      await desk.manager.softDelete(Post, id);
      return () => desk.manager.createQueryBuilder().restore().from(Post).where("id = :id", { id }).execute();
    },
  ],
  "orIgnore on a conflict": [
    { create: 1 },
    async ({ manager }) => {
      const name = unique("known");
      await manager.insert(Tag, { name, color: "red" });
      return () =>
        manager
          .createQueryBuilder()
          .insert()
          .into(Tag)
          .values([{ name, color: "blue" }, { name: unique("new") }])
          .orIgnore()
          .execute();
    },
  ],
  "orUpdate on a conflict": [
    { create: 1, update: 1 },
    async ({ manager }) => {
      const name = unique("known");
      await manager.insert(Tag, { name, color: "red" });
      return () =>
        manager
          .createQueryBuilder()
          .insert()
          .into(Tag)
          .values([
            { name, color: "blue" },
            { name: unique("new"), color: "blue" },
          ])
          .orUpdate(["color"], ["name"])
          .execute();
    },
  ],
};

async function postAndTags(desk: Parameters<typeof savedPost>[0], count: number): Promise<[Post, Tag[]]> {
  const tags = Array.from({ length: count }, () => Object.assign(new Tag(), { name: unique("tag") }));
  return [await savedPost(desk), await desk.manager.save(tags)];
}

export const relationQueryBuilder: WritePaths = {
  "adds many-to-many": [
    { create: 2 },
    async (desk) => {
      const [post, tags] = await postAndTags(desk, 2);
      return () => desk.manager.createQueryBuilder().relation(Post, "tags").of(post).add(tags);
    },
  ],
  "removes many-to-many": [
    { destroy: 1 },
    async (desk) => {
      const [post, tags] = await postAndTags(desk, 2);
      const relation = () => desk.manager.createQueryBuilder().relation(Post, "tags").of(post);
      await relation().add(tags);
      return () => relation().remove(tags[0]);
    },
  ],
  "adds and removes many-to-many": [
    { create: 1, destroy: 1 },
    async (desk) => {
      const [post, tags] = await postAndTags(desk, 2);
      const relation = () => desk.manager.createQueryBuilder().relation(Post, "tags").of(post);
      await relation().add(tags[0]);
      return () => relation().addAndRemove(tags[1], tags[0]);
    },
  ],
  "sets many-to-one": [
    { update: 2 },
    async (desk) => {
      const [post, author] = [await savedPost(desk), await savedAuthor(desk)];
      return async () => {
        await desk.manager.createQueryBuilder().relation(Post, "author").of(post).set(author);
        await desk.manager.createQueryBuilder().relation(Post, "author").of(post).set(null);
      };
    },
  ],
  "adds one-to-many": [
    { update: 2 },
    async (desk) => {
      const author = await savedAuthor(desk);
      const posts = [await savedPost(desk), await savedPost(desk)];
      return () => desk.manager.createQueryBuilder().relation(Author, "posts").of(author).add(posts);
    },
  ],
  "removes one-to-many": [
    { update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      const post = await savedPost(desk, { author });
      return () => desk.manager.createQueryBuilder().relation(Author, "posts").of(author).remove(post);
    },
  ],
};
