import "reflect-metadata";
import { writeSync } from "node:fs";
import { eventLog } from "../../src/index.js";
import { newDataSource } from "../tracked-application.js";
import { Account } from "./account.js";

/**
 * A process to be killed: records numbered entries without end and prints each number once record() has returned.
 * `fault-writer.js <url> <run> <spool folder or -> <entries, 0 for no end>`; with an end it destroys its DataSource and says so.
 */
const [url = "", run = "", spool = "-", most = "0"] = process.argv.slice(2);

const dataSource = newDataSource(
  url,
  [Account],
  {},
  {
    activity: {
      batch: { size: 20, intervalMs: 30 },
      queue: 200,
      alerts: false,
      flushOnSignals: true,
      ...(spool === "-" ? {} : { spool }),
    },
  },
);
await dataSource.initialize();
const { activity } = eventLog(dataSource);
writeSync(1, "ready\n");
for (let number = 0; Number(most) === 0 || number < Number(most); number++) {
  activity.record("numbered", { subject: run, details: { number } });
  writeSync(1, `${number}\n`);
  if (number % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
await dataSource.destroy();
writeSync(1, "destroyed\n");
