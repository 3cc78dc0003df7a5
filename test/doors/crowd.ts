import { expect } from "chai";
import { createHash } from "node:crypto";
import { Agent, request as httpRequest } from "node:http";
import { Readable } from "node:stream";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Column, type DataSource, Entity, PrimaryGeneratedColumn } from "typeorm";
import { bindRequestContext, eventLog, type RecordedEvent, Tracked } from "../../src/index.js";

@Entity()
@Tracked()
export class Note {
  @PrimaryGeneratedColumn("uuid") id!: string;
  /** Whose request wrote it. */
  @Column("text") author!: string;
  @Column("text") text!: string;
  @Column("integer", { default: 0 }) likes!: number;
}

/** How many requests there are at once, for a pool of 4 connections. */
export const crowd = 1_000;
export const poolSize = 4;

/** Events that `writeNotes` makes. */
const eventsEach = 6;

/** What a handler of the crowd does: writes of every kind, with waits between them in which other requests go on. */
export async function writeNotes(dataSource: DataSource, author: string): Promise<void> {
  const notes = dataSource.getRepository(Note);
  await pause(author, 1);
  const { id } = await notes.save({ author, text: "first" });
  await pause(author, 2);
  await dataSource.transaction(async (manager) => {
    await manager.save(Note, { author, text: "second" });
    await pause(author, 3);
    await manager.increment(Note, { id }, "likes", 1);
  });
  await Promise.all([
    notes.update({ id }, { text: "third" }),
    pause(author, 4).then(() => notes.insert({ author, text: "fourth" })),
  ]);
  await new Promise((resolve, reject) => {
    const stream = Readable.from(["a", "b"]);
    stream.on("data", () => undefined);
    stream.on(
      "end",
      bindRequestContext(() => void notes.delete({ author, text: "fourth" }).then(resolve, reject)),
    );
  });
}

/** A timer, an immediate, a stream or nothing; which one and how long differs by author and place, the same in each run. */
async function pause(author: string, place: number): Promise<void> {
  const [kind = 0, length = 0] = createHash("sha256").update(`${author} ${place}`).digest();
  if (kind % 4 === 0) await setTimeout(length % 20);
  else if (kind % 4 === 1) await setImmediate();
  else if (kind % 4 === 2) for await (const _chunk of Readable.from(["a", "b", "c"])) await setImmediate();
}

/** One POST of JSON; resolves with the answer's text, rejects for an answer that is no success. */
export function post(url: string, headers: Record<string, string>, body: unknown = {}, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      { method: "POST", headers: { "content-type": "application/json", ...headers }, ...(agent && { agent }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode !== undefined && response.statusCode < 300) resolve(text);
          else reject(new Error(`${response.statusCode}: ${text}`));
        });
      },
    );
    request.on("error", reject);
    // In two parts, so that the body arrives when the request has been looked at already.
    const text = JSON.stringify(body);
    request.write(text.slice(0, 1));
    globalThis.setTimeout(() => request.end(text.slice(1)), 1);
  });
}

/** Sends the crowd, each request by an author of its own, over connections that are used again. */
export async function sendCrowd(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  const authors = Array.from({ length: crowd }, (_, index) => `author ${index}`);
  try {
    await Promise.all(authors.map((author) => post(url, { "x-user": author }, { author }, agent)));
  } finally {
    agent.destroy();
  }
}

/** Each author is the actor of exactly the events of that author's own notes, all in one request. */
export async function expectOwnEvents(dataSource: DataSource): Promise<void> {
  const events: RecordedEvent[] = [];
  for await (const event of eventLog(dataSource).events({ entity: Note })) events.push(event);
  expect(events).to.have.length(crowd * eventsEach);
  const authorOf = new Map(
    events.map(({ recordId, data }) => [recordId["id"], data.author]).filter(([, author]) => author) as [
      unknown,
      string,
    ][],
  );
  const crossed = events.filter(({ actor, recordId }) => actor?.id !== authorOf.get(recordId["id"]));
  expect(
    crossed.slice(0, 3).map((event) => event.toJSON()),
    `${crossed.length} events with another's actor`,
  ).to.deep.equal([]);
  const actors = new Set(events.map(({ actor }) => actor?.id));
  expect(actors.size, "actors").to.equal(crowd);
  expect(new Set(events.map(({ correlationId }) => correlationId)).size, "requests").to.equal(crowd);
}
