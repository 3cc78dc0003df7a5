import "reflect-metadata";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { eventLog } from "../../src/index.js";
import { newDataSource } from "../tracked-application.js";
import { Account } from "./account.js";

/**
 * A process that counts together with others: `alert-writer.js <url>`, and `alert-writer.js <url> quiet` without alerts. Each line
 * that it reads is JSON: `{ fail: { subject: times } }` records so many failed sign-ins, the subjects in turn, and flushes unless
 * `flush: false` is with it; `{ count: [subjects] }` asks for their failures. Its answers are lines too, and so is each alert that
 * it raises.
 */
const [url = "", kind] = process.argv.slice(2);
const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);

const dataSource = newDataSource(
  url,
  [Account],
  {},
  {
    activity: {
      batch: { size: 1_000, intervalMs: 600_000 },
      alerts: kind !== "quiet" && { onAlert: ({ name, value }) => void say({ alert: [name, value] }) },
    },
  },
);
await dataSource.initialize();
const { activity } = eventLog(dataSource);
say({ ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  const { fail, flush, count } = JSON.parse(line) as {
    fail?: Record<string, number>;
    flush?: false;
    count?: string[];
  };
  if (fail !== undefined) {
    const left = new Map(Object.entries(fail));
    while (left.size > 0) {
      for (const [subject, times] of left) {
        activity.record("sign_in", { outcome: "failure", subject });
        if (times > 1) left.set(subject, times - 1);
        else left.delete(subject);
      }
      await new Promise((resolve) => setTimeout(resolve, 1)); // so that the processes come between one another
    }
    if (flush !== false) say({ recorded: await activity.flush() });
  }
  if (count !== undefined) {
    const failures = [];
    for (const subject of count) failures.push(await activity.failures({ subject, windowSeconds: 300 }));
    say({ failures });
  }
}
await dataSource.destroy();
