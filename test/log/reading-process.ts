import "reflect-metadata";
import { Writable } from "node:stream";
import { newDataSource } from "../tracked-application.js";
import { eventLog } from "../../src/index.js";
import { Letter } from "./letter.js";

/** Reads the log of a database in all ways, in a process that may have little memory; writes how many it read. */
const dataSource = newDataSource(process.argv[2] ?? "", [Letter]);
await dataSource.initialize();
const log = eventLog(dataSource);
const counts = { asc: 0, desc: 0, tail: 0, entries: 0, exported: 0 };
for (const order of ["asc", "desc"] as const) for await (const _ of log.events({ order })) counts[order]++;
for await (const _ of log.tail({ after: 0n })) if (++counts.tail === counts.asc) break;
await dataSource.query(`insert into chronicle.activity (id, occurred_at, action, outcome, severity, node, details)
  select gen_random_uuid(), clock_timestamp(), 'write', 'success', 'info', 'x', data from chronicle.event`);
for await (const _ of log.activity.search()) counts.entries++;
const lines = new Writable({
  write(chunk: Buffer, _encoding, done) {
    for (const byte of chunk) if (byte === 10) counts.exported++;
    done();
  },
});
await log.activity.export(lines);
await dataSource.destroy();
process.stdout.write(JSON.stringify(counts));
