import { Attachment, Author, Basket, BasketItem, Comment, Post, Reaction, Tag } from "../entities/blog.js";
import { anAuthor, type Desk, savedAuthor, savedPost, unique, type WritePaths } from "./write-path.js";

const aTag = (): Tag => Object.assign(new Tag(), { name: unique("tag") });
const aComment = (text = "Indeed."): Comment => Object.assign(new Comment(), { text });

async function postWith(desk: Desk, relations: Partial<Post>): Promise<Post> {
  const { id } = await savedPost(desk, relations);
  return desk.manager.findOneOrFail(Post, {
    where: { id },
    relations: { tags: true, comments: true, attachments: true, reactions: true, author: true },
  });
}

export const relationsBySave: WritePaths = {
  "inserts one-to-many children": [
    { create: 3 },
    ({ manager }) =>
      () =>
        manager.save(Object.assign(new Post(), { title: "Parent", comments: [aComment(), aComment()] })),
  ],
  "inserts a many-to-one parent": [
    { create: 2 },
    ({ manager }) =>
      () =>
        manager.save(Object.assign(new Post(), { title: "Child", author: anAuthor() })),
  ],
  "updates a parent through a child": [
    { update: 2 },
    async (desk) => {
      const post = await postWith(desk, { author: await savedAuthor(desk) });
      post.title = "Both";
      post.author!.score = 12;
      return () => desk.manager.save(post);
    },
  ],
  "adds many-to-many": [
    { create: 2 },
    async (desk) => {
      const post = await postWith(desk, { tags: [aTag()] });
      post.tags.push(aTag());
      return () => desk.manager.save(post);
    },
  ],
  "removes many-to-many": [
    { destroy: 2 },
    async (desk) => {
      const post = await postWith(desk, { tags: [aTag(), aTag()] });
      post.tags = [];
      return () => desk.manager.save(post);
    },
  ],
  "adds and removes many-to-many": [
    { create: 2, destroy: 1 },
    async (desk) => {
      const post = await postWith(desk, { tags: [aTag(), aTag()] });
      post.tags = [post.tags[0]!, aTag()];
      return () => desk.manager.save(post);
    },
  ],
  "nullifies a one-to-many child taken off": [
    { update: 1 },
    async (desk) => {
      const post = await postWith(desk, { comments: [aComment(), aComment()] });
      post.comments.pop();
      return () => desk.manager.save(post);
    },
  ],
  "deletes an orphan": [
    { destroy: 1 },
    async (desk) => {
      const post = await postWith(desk, { attachments: [Object.assign(new Attachment(), { file: "a.pdf" })] });
      post.attachments = [];
      return () => desk.manager.save(post);
    },
  ],
  "soft-deletes an orphan": [
    { update: 1 },
    async (desk) => {
      const post = await postWith(desk, { reactions: [Object.assign(new Reaction(), { sign: "+1" })] });
      post.reactions = [];
      return () => desk.manager.save(post);
    },
  ],
};

export const remove: WritePaths = {
  "removes an entity": [
    { destroy: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return () => desk.manager.remove(author);
    },
  ],
  "removes several of two kinds": [
    { destroy: 3 },
    async (desk) => {
      const entities = [await savedAuthor(desk), await savedPost(desk), await savedAuthor(desk)];
      return () => desk.manager.remove(entities);
    },
  ],
  "removes an entity with junction rows": [
    { destroy: 3 },
    async (desk) => {
      const { id } = await savedPost(desk, { tags: [aTag(), aTag()] });
      return async () => desk.manager.remove(await desk.manager.findOneByOrFail(Post, { id }));
    },
  ],
  "removes with ON DELETE CASCADE children": [
    { destroy: 3 },
    async (desk) => {
      const { id } = await savedPost(desk, { comments: [aComment(), aComment()] });
      return async () => desk.manager.remove(await desk.manager.findOneByOrFail(Post, { id }));
    },
  ],
  "removes with ON DELETE CASCADE over two levels": [
    { destroy: 6 },
    async (desk) => {
      const author = await savedAuthor(desk);
      for (const _ of [1, 2])
        await savedPost(desk, { author, comments: [aComment()], ...(_ === 1 ? {} : { tags: [aTag()] }) });
      return async () => desk.manager.remove(await desk.manager.findOneByOrFail(Author, { id: author.id }));
    },
  ],
  "removes with ON DELETE SET NULL children": [
    { destroy: 1, update: 1 },
    async (desk) => {
      const { id } = await savedPost(desk, { attachments: [Object.assign(new Attachment(), { file: "b.pdf" })] });
      return async () => desk.manager.remove(await desk.manager.findOneByOrFail(Post, { id }));
    },
  ],
  "removes with cascade to loaded children": [
    { destroy: 2 },
    async ({ manager }) => {
      const basket = await manager.save(Object.assign(new Basket(), { label: "two levels" }));
      const item = await manager.save(Object.assign(new BasketItem(), { basket, quantity: 2 }));
      return () => manager.remove([item, basket]);
    },
  ],
  "soft-removes, with cascade": [
    { update: 2 },
    async (desk) => {
      const post = await postWith(desk, { comments: [aComment()] });
      return () => desk.manager.softRemove(post);
    },
  ],
  "recovers, with cascade": [
    { update: 2 },
    async (desk) => {
      const post = await postWith(desk, { comments: [aComment()] });
      await desk.manager.softRemove(post);
      return () => desk.manager.recover(post);
    },
  ],
};
