import { In } from "typeorm";
import { Author, Basket, BasketItem, Post, Tag } from "../entities/blog.js";
import { type Desk, refused, savedAuthor, savedPost, unique, type WritePaths } from "./write-path.js";

async function twoAuthors(desk: Desk): Promise<[Author, Author]> {
  return [await savedAuthor(desk), await savedAuthor(desk)];
}

async function baskets({ manager }: Desk, count: number): Promise<Basket[]> {
  await manager.deleteAll(BasketItem);
  await manager.deleteAll(Basket);
  return manager.save(Array.from({ length: count }, () => Object.assign(new Basket(), { label: unique("basket") })));
}

export const criteria: WritePaths = {
  "insert of one": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.insert(Author, { name: "Grace" }),
  ],
  "insert of many": [
    { create: 3 },
    ({ manager }) =>
      () =>
        manager.insert(
          Tag,
          ["a", "b", "c"].map((name) => ({ name: unique(name), color: name })),
        ),
  ],
  "update of one": [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () => desk.manager.update(Author, { id }, { name: "Grace" });
    },
  ],
  "update of many": [
    { update: 2 },
    async (desk) => {
      const ids = (await twoAuthors(desk)).map(({ id }) => id);
      return () => desk.manager.update(Author, { id: In(ids) }, { score: 4 });
    },
  ],
  "update of none": [
    {},
    ({ manager }) =>
      () =>
        manager.update(Author, { name: unique("nobody") }, { score: 4 }),
  ],
  "update with a function value": [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () => desk.manager.update(Author, id, { name: () => "upper(name) || '!'" });
    },
  ],
  "increment and decrement": [
    { update: 3 },
    async (desk) => {
      const [one, two] = await twoAuthors(desk);
      return async () => {
        await desk.manager.increment(Author, { id: In([one.id, two.id]) }, "score", 5);
        await desk.manager.decrement(Author, { id: one.id }, "score", 2);
      };
    },
  ],
  updateAll: [
    { update: 3 },
    async (desk) => {
      await baskets(desk, 3);
      return () => desk.manager.updateAll(Basket, { label: "the same" });
    },
  ],
  "delete of one": [
    { destroy: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () => desk.manager.delete(Author, id);
    },
  ],
  "delete of many": [
    { destroy: 2 },
    async (desk) => {
      const ids = (await twoAuthors(desk)).map(({ id }) => id);
      return () => desk.manager.delete(Author, ids);
    },
  ],
  "delete of none": [
    {},
    ({ manager }) =>
      () =>
        manager.delete(Author, { name: unique("nobody") }),
  ],
  deleteAll: [
    { destroy: 2 },
    async (desk) => {
      await baskets(desk, 2);
      return () => desk.manager.deleteAll(Basket);
    },
  ],
  "softDelete and restore": [
    { update: 2 },
    async (desk) => {
      const { id } = await savedPost(desk);
      return async () => {
        await desk.manager.softDelete(Post, id);
        await desk.manager.restore(Post, id);
      };
    },
  ],
  "upsert that inserts": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.upsert(Tag, { name: unique("new"), color: "red" }, ["name"]),
  ],
  "upsert that updates": [
    { update: 1 },
    async ({ manager }) => {
      const name = unique("known");
      await manager.insert(Tag, { name, color: "red" });
      return () => manager.upsert(Tag, { name, color: "blue" }, ["name"]);
    },
  ],
  "upsert of both": [
    { create: 1, update: 1 },
    async ({ manager }) => {
      const name = unique("known");
      await manager.insert(Tag, { name, color: "red" });
      return () =>
        manager.upsert(
          Tag,
          [
            { name: unique("new"), color: "green" },
            { name, color: "blue" },
          ],
          ["name"],
        );
    },
  ],
  "upsert that sets what is there": [
    {},
    async ({ manager }) => {
      const name = unique("known");
      await manager.insert(Tag, { name, color: "red" });
      return async () => {
        await manager.upsert(
          Tag,
          { name, color: "red" },
          { conflictPaths: ["name"], skipUpdateIfNoValuesChanged: true },
        );
        await manager.upsert(Tag, { name, color: "red" }, ["name"]);
      };
    },
  ],
  clear: [
    { destroy: 2 },
    async (desk) => {
      await baskets(desk, 0);
      const [basket] = await desk.manager.save([Object.assign(new Basket(), { label: "kept" })]);
      for (const quantity of [1, 2]) await desk.manager.insert(BasketItem, { basket: basket!, quantity });
      return async () => {
        await desk.oracle.noteTruncate("basket_item");
        await desk.manager.clear(BasketItem);
      };
    },
  ],
  "clear with cascade": [
    { destroy: 3 },
    async (desk) => {
      const [basket] = await baskets(desk, 2);
      await desk.manager.insert(BasketItem, { basket: basket!, quantity: 5 });
      return async () => {
        await desk.oracle.noteTruncate("basket");
        await desk.oracle.noteTruncate("basket_item");
        await desk.manager.clear(Basket, { cascade: true });
      };
    },
  ],
  "clear that is refused": [
    {},
    async (desk) => {
      await baskets(desk, 1);
      return () => refused(desk.manager.clear(Basket));
    },
  ],
};
