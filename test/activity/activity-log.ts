import type { ActivityEntry, ActivityFilter, ActivityOptions } from "../../src/index.js";
import { type ApplicationOptions, TrackedApplication } from "../tracked-application.js";
import { Account } from "./account.js";

/** An application with an activity log, on a database of its own. */
export function startActivity(
  activity: ActivityOptions = {},
  more: ApplicationOptions = {},
): Promise<TrackedApplication> {
  return TrackedApplication.start([Account], { ...more, log: { ...more.log, activity } });
}

/** Everything that matches, newest first. */
export async function found(app: TrackedApplication, filter: ActivityFilter = {}): Promise<ActivityEntry[]> {
  const entries: ActivityEntry[] = [];
  for await (const entry of app.log.activity.search(filter)) entries.push(entry);
  return entries;
}

/** Rows of the table, read past the library, oldest first. */
export function rows<Row extends object = Record<string, unknown>>(
  app: TrackedApplication,
  where = "true",
): Promise<Row[]> {
  return app.query(`select * from chronicle.activity where ${where} order by occurred_at, id`) as unknown as Promise<
    Row[]
  >;
}

/** Waits until a condition holds; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what = "the condition"): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Waited in vain for ${what}.`);
}
