import { Author, Basket, Post, Tag } from "../entities/blog.js";
import { anAuthor, refused, savedAuthor, savedPost, unique, type WritePaths } from "./write-path.js";

export const save: WritePaths = {
  "inserts an entity": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.save(anAuthor()),
  ],
  "inserts a plain object": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.getRepository(Author).save({ name: "Plain" }),
  ],
  "inserts without reading back": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.save(anAuthor(), { reload: false }),
  ],
  "updates a loaded entity": [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      const author = await desk.manager.findOneByOrFail(Author, { id });
      return () => desk.manager.save(Object.assign(author, { name: "Countess", score: 3 }));
    },
  ],
  "updates a select: false column": [
    { update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return () => desk.manager.save(Object.assign(author, { password: "another" }));
    },
  ],
  "updates a column with a transformer": [
    { update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return () => desk.manager.save(Object.assign(author, { nickname: "countess" }));
    },
  ],
  "leaves an update: false column alone": [
    { update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk, { signedUpBy: "Charles" });
      return () => desk.manager.save(Object.assign(author, { signedUpBy: "Mary", name: "Countess" }));
    },
  ],
  "changes nothing": [
    {},
    async (desk) => {
      const { id } = await savedAuthor(desk);
      const author = await desk.manager.findOneByOrFail(Author, { id });
      return () => desk.manager.save(author);
    },
  ],
  "saves a partial entity and keeps the other columns": [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () => desk.manager.getRepository(Author).save({ id, name: "Countess" });
    },
  ],
  "saves an id that does not exist": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.save(anAuthor({ id: "11111111-2222-4333-8444-555555555555" })),
  ],
  "saves 1000 in chunks": [
    { create: 1000 },
    ({ manager }) =>
      () =>
        manager.save(
          Array.from({ length: 1000 }, (_, number) => Object.assign(new Basket(), { label: `basket ${number}` })),
          { chunk: 300 },
        ),
  ],
  "saves inserts and updates together": [
    { create: 2, update: 2 },
    async (desk) => {
      const known = [await savedAuthor(desk), await savedAuthor(desk)];
      for (const author of known) author.score++;
      return () => desk.manager.save([known[0]!, anAuthor(), known[1]!, anAuthor()]);
    },
  ],
  "saves several kinds in one call": [
    { create: 2, update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      author.score = 9;
      const tag = Object.assign(new Tag(), { name: unique("tag") });
      return () => desk.manager.save([author, tag, Object.assign(new Post(), { title: "Mixed" })]);
    },
  ],
  "saves without listeners": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.save(anAuthor(), { listeners: false }),
  ],
  "saves without a transaction": [
    { create: 1, update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      author.score++;
      return () => desk.manager.save([author, anAuthor()], { transaction: false });
    },
  ],
  "saves with data for subscribers": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.save(anAuthor(), { data: { why: "a test" } }),
  ],
  "raises @VersionColumn and @UpdateDateColumn": [
    { update: 2 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return async () => {
        await desk.manager.save(Object.assign(author, { score: 1 }));
        await desk.manager.save(Object.assign(author, { score: 2 }));
      };
    },
  ],
  "saves under another natural key": [
    { create: 1 },
    async ({ manager }) => {
      const tag = await manager.save(Object.assign(new Tag(), { name: unique("old"), color: "red" }));
      return () => manager.save(Object.assign(tag, { name: unique("new") }));
    },
  ],
  "fails on a unique value": [
    {},
    async (desk) => {
      const { email } = await savedAuthor(desk);
      return () => refused(desk.manager.save(anAuthor({ email })));
    },
  ],
  "fails for one of several": [
    {},
    async (desk) => {
      const { email } = await savedAuthor(desk);
      const post = await savedPost(desk);
      post.title = "Never";
      return () => refused(desk.manager.save([anAuthor(), post, anAuthor({ email })]));
    },
  ],
};
