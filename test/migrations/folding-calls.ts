import type { EventLog } from "../../src/index.js";
import { attempt, type Attempt, codeOf, described, isTyped } from "./attempt.js";
import type { EntityClass } from "./entity-of.js";
import type { Row } from "./kind.js";

/** One table of a log, as a caller knows it: a record of it and a bookmark. */
export interface Place {
  readonly log: EventLog;
  readonly entity: EntityClass;
  readonly id: Row;
  readonly bookmark: string;
}

type Calls = Readonly<Record<string, () => Promise<unknown>>>;

/** Every call that folds the whole log, none of which writes. */
export function wholeCalls({ log, bookmark }: Pick<Place, "log" | "bookmark">): Calls {
  return {
    replay: () => log.replay(undefined, { dryRun: true }),
    shadow: async () => (await log.shadow({ bookmark })).drop(),
    verify: () => log.verify(),
    retain: () => log.retain({ since: new Date(), dryRun: true }),
  };
}

/** Every call that folds one record to read it. */
export function readingCalls({ log, entity, id, bookmark }: Place): Calls {
  return {
    at: () => log.at(entity, id, { bookmark }),
    changes: () => log.changes(entity, id, { from: { bookmark } }),
  };
}

/** Calls that write, and must be refused: on a table without rows, so that a wrong one spoils no other test. */
export function writingCalls({ log, entity, id, bookmark }: Place): Calls {
  return {
    "replay of the entity": () => log.replay(undefined, { entities: [entity] }),
    revert: () => log.revert(entity, id, { bookmark }),
    erase: () => log.erase(entity, id),
  };
}

/** What is wrong with calls that must be refused, before the install, for the table's shape. */
export async function staleComplaints(calls: Calls, { isStale }: { isStale: boolean }): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, call] of Object.entries(calls)) {
    const made = await attempt(call);
    if (isStale ? codeOf(made) !== "INSTALL_STALE" : isUntyped(made)) wrong.push(`${name}: ${described(made)}`);
  }
  return wrong.length === 0 ? [] : [`before the install, ${wrong.join("; ")}`];
}

/** What is wrong with calls that go on whatever the shape: those that read what was stored. */
export async function readingComplaints({ log, entity, id }: Place): Promise<string[]> {
  const read = await attempt(async () => {
    for await (const event of log.events()) JSON.stringify(event);
  });
  const history = await attempt(() => log.history(entity, id));
  return Object.entries({ events: read, history }).flatMap(([name, made]) =>
    !made.failed ? [] : [`before the install, ${name} gave ${described(made)}`],
  );
}

function isUntyped(made: Attempt<unknown>): boolean {
  return made.failed && !isTyped(made.error);
}
