import { expect } from "chai";
import { PassThrough } from "node:stream";
import { inspect } from "node:util";
import type { DataSource } from "typeorm";
import { type EventLog, eventLog, EventLogError } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";
import { Account } from "./entities.js";
import { guardedLog, type Roles } from "./roles.js";

async function drained(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events) break;
}

/** Every call of the log that needs rights on it. */
const doors: Readonly<Record<string, (log: EventLog, dataSource: DataSource) => Promise<unknown>>> = {
  events: (log) => drained(log.events()),
  "events of a record": (log) => drained(log.events({ entity: Account, recordId: 1 })),
  "events since a point": (log) => drained(log.events({ from: new Date() })),
  history: (log) => log.history(Account, 1),
  tail: (log) => drained(log.tail({ after: 0n })),
  status: (log) => log.status(),
  changes: (log) => log.changes(Account, 1),
  at: (log) => log.at(Account, 1, new Date()),
  verify: (log) => log.verify(),
  "a dry replay": (log) => log.replay(undefined, { dryRun: true }),
  replay: (log) => log.replay(),
  shadow: (log) => log.shadow(),
  revert: (log) => log.revert(Account, 1, new Date()),
  baseline: (log) => log.baseline(),
  erase: (log) => log.erase(Account, 1),
  bookmark: (log) => log.bookmark("mine"),
  partition: (log) => log.partition(),
  retain: (log) => log.retain({ since: new Date() }),
  "activity.search": ({ activity }) => drained(activity.search()),
  "activity.export": ({ activity }) => activity.export(new PassThrough()),
  "activity.summary": ({ activity }) => activity.summary(),
  "activity.stats": ({ activity }) => activity.stats(),
  "activity.failures": ({ activity }) => activity.failures({ subject: "ada" }),
  "activity.cleanup": ({ activity }) => activity.cleanup({ olderThanDays: 400 }),
  "activity.check": ({ activity }) => activity.check(),
  install: (log) => log.install(),
  uninstall: (log) => log.uninstall(),
  "activity.recordNow": ({ activity }) => activity.recordNow("tried"),
  "activity.recordNow of what alerts count": ({ activity }) =>
    activity.recordNow("sign_in", { outcome: "failure", subject: "ada" }),
  "activity.recordNow within": ({ activity }, dataSource) =>
    dataSource.transaction((within) => activity.recordNow("tried", { within })),
};

const readsEvents = ["events", "events of a record", "events since a point", "history", "tail"];
const adds = Object.keys(doors).filter((door) => door.startsWith("activity.recordNow"));
const ownFunctions = ["activity.failures", "activity.cleanup"];
const activity = Object.keys(doors).filter(
  (door) =>
    door.startsWith("activity.") && !adds.includes(door) && !ownFunctions.includes(door) && door !== "activity.check",
);
const answers = ["status", "activity.check"];
const needsOwner = Object.keys(doors).filter(
  (door) => ![...readsEvents, ...activity, ...ownFunctions, ...adds, ...answers].includes(door),
);

function outcomes(code: string, ...groups: readonly (readonly string[])[]): Record<string, string> {
  return Object.fromEntries(groups.flat().map((door) => [door, code]));
}

describe("what a role is told that may not read the log", () => {
  const guarded = guardedLog();

  const expected: Readonly<Record<Exclude<keyof Roles, "owner">, Record<string, string>>> = {
    application: {
      ...outcomes("NOT_READER", readsEvents, activity),
      ...outcomes("NOT_OWNER", needsOwner),
      ...outcomes("done", ownFunctions, adds, answers),
    },
    reader: {
      ...outcomes("done", readsEvents, activity, ["activity.failures"], answers),
      ...outcomes("NOT_WRITER", adds),
      ...outcomes("NOT_OWNER", needsOwner),
      uninstall: "UNINSTALL_REFUSED", // it sees that there are events
      "activity.cleanup": "NOT_OWNER",
    },
    stranger: {
      ...outcomes("NOT_READER", readsEvents, activity, ["activity.failures"]),
      ...outcomes("done", answers),
      ...outcomes("NOT_WRITER", adds),
      ...outcomes("NOT_OWNER", needsOwner),
      "activity.cleanup": "NOT_OWNER",
    },
  };
  for (const [role, codes] of Object.entries(expected) as [keyof typeof expected, Record<string, string>][]) {
    it(`tells the ${role} of each call whether it may, and if not, what would help`, async function () {
      this.timeout(60_000);
      const dataSource = await guarded().open(role);
      const log = eventLog(dataSource);
      const found: Record<string, string> = {};
      for (const [door, call] of Object.entries(doors)) found[door] = await outcomeOf(call(log, dataSource));
      expect(found).to.deep.equal(codes);
    });
  }

  it("tells a role that may not read the log what status knows without, and that the rest is left out", async () => {
    for (const role of ["application", "stranger"] as const) {
      const found = await eventLog(await guarded().open(role)).status();
      expect(found).to.include({ installed: true, position: 0n }).and.to.deep.include({ uncaptured: [] });
      expect(found.step > 0, role).to.equal(role === "application");
      expect(found.advice.join()).to.include("grantReadTo");
    }
  });

  it("counts in a dry run of the activity log's cleanup what the role may delete, and what is kept", async () => {
    const { activity: log } = eventLog(await guarded().open("application"));
    await log.recordNow("tried");
    const foreseen = await log.cleanup({ olderThanDays: 0, dryRun: true });
    expect(foreseen.entries).to.equal(0);
    expect(foreseen.kept).to.be.greaterThan(0);
    expect((await log.cleanup({ olderThanDays: 0 })).entries).to.equal(0);
    const { activity: owned } = eventLog(await guarded().open("owner"));
    const all = await owned.cleanup({ olderThanDays: 0, dryRun: true });
    expect(all).to.include({ entries: foreseen.kept, kept: 0 });
  });

  it("tells a stranger in the activity log's check what the role lacks", async () => {
    const { findings, role, grants } = await eventLog(await guarded().open("stranger")).activity.check();
    expect(role).to.equal(guarded().roles.stranger);
    expect(grants).to.deep.equal([]);
    expect(findings.join(" ")).to.include("may not write the activity log").and.not.to.include("not installed");
  });

  it("names the grant that lets a role read", async () => {
    const log = eventLog(await guarded().open("application"));
    const error = await log.history(Account, 1).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(EventLogError);
    expect((error as EventLogError).hint).to.include("grantReadTo");
  });

  it("names the grant that lets a role write the activity log, and nothing of the entry", async () => {
    const dataSource = await guarded().open("reader");
    const { activity: log } = eventLog(dataSource);
    const entry = { subject: "somebody" };
    for (const error of [
      await log.recordNow("tried", entry).catch((reason: unknown) => reason),
      await dataSource
        .transaction((within) => log.recordNow("tried", { within, ...entry }))
        .catch((reason: unknown) => reason),
    ]) {
      expect(error).to.be.instanceOf(EventLogError);
      expect((error as EventLogError).message).to.include("permission denied for function record_activity");
      expect((error as EventLogError).hint).to.include("install({ grantTo: role })");
      expect(inspect(error)).not.to.include("somebody");
    }
  });
});

describe("what everyone is told where there is no log", () => {
  it("is NOT_INSTALLED, by every call that needs one", async function () {
    this.timeout(60_000);
    const application = await TrackedApplication.start([Account], { install: false });
    try {
      const found: Record<string, string> = {};
      for (const [door, call] of Object.entries(doors)) {
        found[door] = await outcomeOf(call(application.log, application.dataSource));
        if (door === "install") await application.log.uninstall();
      }
      expect(found).to.deep.equal({
        ...outcomes("NOT_INSTALLED", Object.keys(doors)),
        ...outcomes("done", answers, ["install", "uninstall"]),
      });
    } finally {
      await application.stop();
    }
  });
});

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (error instanceof EventLogError) return error.code;
    return `${String((error as { code?: string }).code)} ${String(error)}`;
  }
}
