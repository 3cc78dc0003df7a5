import { randomUUID } from "node:crypto";
import type { DataSource, EntityManager } from "typeorm";
import type { Counts, Oracle } from "../../oracle.js";
import { Author, Post, Tag } from "../entities/blog.js";

/** What a path has to write with. */
export interface Desk {
  readonly dataSource: DataSource;
  readonly manager: EntityManager;
  readonly oracle: Oracle;
}

/** The write under test: called once what it needs is there. */
export type Write = () => Promise<unknown>;

/** Ways to write, by name: the events that each makes, and what prepares it. */
export type WritePaths = Readonly<Record<string, readonly [Counts, (desk: Desk) => Write | Promise<Write>]>>;

/** Runs a write that must be refused, and lets go on. */
export async function refused(write: Promise<unknown>): Promise<void> {
  const outcome = await write.then(
    () => "written",
    () => "refused",
  );
  if (outcome === "written") throw new Error("This write should have been refused.");
}

export const unique = (name: string): string => `${name} ${randomUUID()}`;

export function anAuthor(more: Partial<Author> = {}): Author {
  return Object.assign(new Author(), { name: unique("Ada"), ...more });
}

export const aTag = (more: Partial<Tag> = {}): Tag =>
  Object.assign(new Tag(), { name: unique("tag"), color: "red", ...more });

/** The code of what the work throws, or "none". */
export const codeOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => "none",
    (error: { code?: string }) => error.code,
  );

export const savedAuthor = ({ manager }: Desk, more: Partial<Author> = {}): Promise<Author> =>
  manager.save(anAuthor({ password: "secret", nickname: "ada", email: unique("ada@"), ...more }));

export const savedPost = ({ manager }: Desk, more: Partial<Post> = {}): Promise<Post> =>
  manager.save(Object.assign(new Post(), { title: "On engines", body: "…", ...more }));
