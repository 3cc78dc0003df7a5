import { writeSync } from "node:fs";
import type { ActivityEntry } from "../../src/index.js";

/**
 * A process whose clock says that midnight is two seconds away: `midnight-writer.js <folder> <ms after midnight to write until>`.
 * It writes an entry every 20 ms to a file sink and says which, then waits for the midnight to be well over.
 */
const [folder = "", until = "0"] = process.argv.slice(2);

const realNow = Date.now.bind(Date);
const midnight = new Date(new Date().setHours(24, 0, 0, 0)).getTime();
const ahead = midnight - 2_000 - realNow();
const now = () => realNow() + ahead;
globalThis.Date = new Proxy(Date, {
  construct: (date, given: unknown[], made) =>
    Reflect.construct(date, given.length === 0 ? [now()] : given, made) as object,
  get: (date, name) => (name === "now" ? now : (Reflect.get(date, name) as unknown)),
});

const { fileSink } = await import("../../src/sinks/file.js");
const sink = fileSink({ folder, rotationSizeMb: 100, keepDays: 30 });
for (let number = 0; Date.now() < midnight + Number(until); number++) {
  const occurredAt = new Date();
  await sink.write([{ action: "numbered", occurredAt, details: { number } } as unknown as ActivityEntry]);
  writeSync(1, `${number} ${occurredAt.getTime() - midnight}\n`);
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await new Promise((resolve) => setTimeout(resolve, Math.max(0, midnight + 1_500 - Date.now())));
await sink.close?.();
