import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import type { DataSource } from "typeorm";
import { type Capture, type EventLog, eventLog, type RecordId, withRequestContext } from "../../src/index.js";
import { entities, keys, rowOf, type World } from "./world.js";

/** What an application does with its tables: every verb, one row and many, in a transaction and without. */
async function write(dataSource: DataSource, capture: Capture): Promise<void> {
  for (const [name, { values }] of Object.entries(keys)) {
    const entity = entities[name]!;
    const [first, second] = values;
    const things = dataSource.getRepository(entity);
    await withRequestContext({ actor: { type: "user", id: 1 }, actionName: "opened" }, async () => {
      await things.save(rowOf(first, 0));
      await dataSource.transaction(async (manager) => {
        const within = manager.getRepository(entity);
        await within.save(rowOf(second, 0));
        const found = await within.findOneByOrFail({ id: second });
        await within.save({ ...found, ...rowOf(second, 1) });
      });
    });
    for (const found of await things.find()) await things.save({ ...found, ...rowOf(found["id"] as RecordId, 0) });
    await things.delete({ id: second });
    if (capture === "trigger") {
      await dataSource.query(`update shop.by_${name} set label = 'all'`);
      await dataSource.query(`insert into shop.by_${name} (id) values ($1)`, [second]);
      await dataSource.query(`update shop.by_${name} set label = 'both', mood = 'bad'`);
      await dataSource.query(`delete from shop.by_${name} where label = 'both'`);
      await things.save(rowOf(first, 0));
    }
  }
}

async function drained(list: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of list) continue;
}

/** One event of a list that has no end. */
async function first(list: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of list) break;
}

interface Surroundings {
  readonly world: World;
  readonly owner: DataSource;
  readonly application: DataSource;
  readonly capture: Capture;
}

type Call = (log: EventLog, around: Surroundings) => Promise<unknown>;

const each = async (work: (name: string, id: RecordId) => Promise<unknown>): Promise<void> => {
  for (const [name, { values }] of Object.entries(keys)) await work(name, values[0]);
};

/** Every member of the event log, as its owner calls it, in an order in which each finds something to do. */
const calls: Readonly<Record<string, Call>> = {
  install: async (log, { world: { roles } }) => {
    await log.install({ grantTo: roles.application });
    await log.uninstall();
    await log.install({ grantTo: roles.application });
    return log.install({ grantTo: roles.application });
  },
  status: (log) => log.status(),
  check: (log) => log.check(),
  write: (_, { application, capture }) => write(application, capture),
  bookmark: (log) => log.bookmark("middle"),
  events: async (log) => {
    await drained(log.events());
    await drained(log.events({ entity: entities["uuid"]!, action: "update", actor: { type: "user", id: 1 } }));
    await drained(log.events({ from: { bookmark: "middle" }, order: "desc", limit: 5 }));
    await drained(log.events({ from: { bookmark: "middle" }, to: new Date(), actionName: "opened", tenant: "x" }));
    await each((name, id) => drained(log.events({ entity: entities[name]!, recordId: id })));
  },
  tail: async (log) => {
    const signal = AbortSignal.timeout(5_000);
    for await (const { cursor, position } of log.tail({ after: 0n, signal })) {
      for (const after of [cursor, position]) await first(log.tail({ after, signal }));
      break;
    }
  },
  history: (log) => each((name, id) => log.history(entities[name]!, id)),
  "write again": async (_, { application }) => {
    const things = application.getRepository(entities["varchar"]!);
    for (const found of await things.find()) await things.save({ ...found, label: "later" });
  },
  changes: (log) =>
    each((name, id) => log.changes(entities[name]!, id, { from: { bookmark: "middle" }, to: new Date() })),
  at: (log) =>
    each(async (name, id) => {
      await log.at(entities[name]!, id, { bookmark: "middle" });
      await log.at(entities[name]!, [id], new Date());
    }),
  verify: (log) => log.verify(),
  shadow: async (log) => {
    const shadow = await log.shadow({ bookmark: "middle" });
    await shadow.manager.getRepository(entities["varchar"]!).find();
    await shadow.drop();
  },
  revert: (log) => log.revert(entities["varchar"]!, "one", { bookmark: "middle" }),
  erase: (log) => log.erase(entities["uuid"]!, keys["uuid"]!.values[0]),
  baseline: async (log, { world }) => {
    await world.query(
      `set session_replication_role = replica; insert into shop.by_integer (id, label) values (7, 'unseen')`,
    );
    return log.baseline();
  },
  reconcile: async (log, { world }) => {
    await world.query(`set session_replication_role = replica;
      update shop.by_integer set label = 'behind'; delete from shop.by_varchar; insert into shop.by_enum (id) values ('bad')`);
    return log.reconcile();
  },
  replay: async (log, { world }) => {
    await log.replay(undefined, { dryRun: true });
    await world.query(`set session_replication_role = replica; update shop.by_integer set label = 'drift'`);
    await log.replay();
    await log.replay({ bookmark: "middle" }, { apply: "rebuild" });
    return log.verify();
  },
  partition: (log) => log.partition(),
  retain: async (log, { application }) => {
    await application.getRepository(entities["varchar"]!).save(rowOf("three", 0));
    await log.retain({ since: new Date(), dryRun: true });
    return log.retain({ since: new Date() });
  },
  migration: async (log) => {
    const file = join(tmpdir(), `1700000000000-${randomBytes(6).toString("hex")}.ts`);
    await log.migration(file);
    await rm(file);
  },
  "install in a migration": async (log, { owner, world: { roles } }) => {
    const queryRunner = owner.createQueryRunner();
    await queryRunner.startTransaction();
    await log.install({ grantTo: roles.application, queryRunner });
    await queryRunner.commitTransaction();
    await queryRunner.release();
  },
  "install after a migration": async (log, { world: { roles }, owner }) => {
    await owner.query(
      "alter table shop.by_uuid rename column label to title; alter table shop.by_uuid add column extra pg_catalog.text",
    );
    await owner.query("alter table shop.by_uuid rename column title to label");
    return log.install({ grantTo: roles.application });
  },
  uninstall: async (log) => {
    await log.uninstall().catch((error: { code?: string }) => {
      if (error.code !== "UNINSTALL_REFUSED") throw error; // it holds events
    });
  },
  "activity.record": async ({ activity }) => {
    activity.record("looked", { subject: "ada" });
    await activity.flush();
  },
  "activity.recordNow": async ({ activity }, { owner, application }) => {
    await activity.recordNow("looked", { subject: "ada" });
    await eventLog(application).activity.recordNow("sign_in", { outcome: "failure", subject: "ada" });
    await owner.transaction((within) => activity.recordNow("looked", { within }));
  },
  "activity.audit": ({ activity }) => activity.audit("exported", {}, () => 1),
  "activity.search": ({ activity }) => drained(activity.search({ action: "looked" })),
  "activity.export": ({ activity }) => activity.export(new PassThrough().resume()),
  "activity.summary": ({ activity }) => activity.summary(),
  "activity.stats": ({ activity }) => activity.stats(),
  "activity.failures": ({ activity }) => activity.failures({ subject: "ada" }),
  "activity.flush": ({ activity }) => activity.flush(),
  "activity.rotate": ({ activity }) => activity.rotate(),
  "activity.check": ({ activity }) => activity.check(),
  "activity.cleanup": async ({ activity }) => {
    await activity.cleanup({ olderThanDays: 0, dryRun: true });
    return activity.cleanup({ olderThanDays: 0 });
  },
  "activity.clientHandler": async ({ activity }) => activity.clientHandler(),
  "activity.adminHandler": async ({ activity }) => activity.adminHandler(),
};

/** The members of a log that no call above is named after. */
export function membersWithoutCall(log: EventLog): string[] {
  const activity = Object.keys(log.activity).map((name) => `activity.${name}`);
  const members = [...Object.keys(log).filter((name) => name !== "activity"), ...activity];
  return members.filter((name) => calls[name] === undefined);
}

/** Calls all of the public surface; what failed, by the call. */
export async function callAll(around: Surroundings): Promise<string[]> {
  const log = eventLog(around.owner);
  const failures: string[] = [];
  for (const [name, call] of Object.entries(calls)) {
    try {
      await call(log, around);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      failures.push(`${name}: ${code} ${message}`);
    }
  }
  return failures;
}
