import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from "typeorm";
import {
  type ActivityInput,
  type ActivityOptions,
  eventLog,
  Tracked,
  withEventLog,
  withRequestContext,
} from "../../src/index.js";
import { runOn, withDatabases } from "../database.js";
import type { BenchOptions } from "../options.js";
import { type Report, rounded } from "../report.js";
import { median } from "../rounds.js";

@Entity()
@Tracked()
class ActivityBench {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

const input: ActivityInput = {
  outcome: "success",
  strategy: "password",
  subject: "ada@example.org",
  params: { email: "ada@example.org", password: "secret", remember: true },
  details: { attempt: 1 },
};
const request = {
  method: "POST",
  originalUrl: "/session?next=/",
  headers: { host: "example.org", "user-agent": "Mozilla/5.0", "x-forwarded-for": "203.0.113.9, 10.0.0.2" },
  socket: { remoteAddress: "10.0.0.1", remotePort: 4711 },
};
const inRequest = <T>(work: () => T) =>
  withRequestContext({ actor: { type: "user", id: 7, name: "Ada" }, tenant: "acme", request: { ...request } }, work);

/** What recording costs its caller, how fast batches are, how much memory a full queue takes, how long a large export. */
export async function activity({ rounds = 10, entries }: BenchOptions): Promise<Report[]> {
  return withDatabases(1, async ([url = ""]) => [
    await caller(url, rounds),
    await batches(url, rounds),
    await memory(url),
    await exported(url, entries),
  ]);
}

async function withActivity<T>(
  url: string,
  options: ActivityOptions,
  work: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = await new DataSource(
    withEventLog(
      { type: "postgres", url, entities: [ActivityBench], synchronize: true },
      { activity: { retentionDays: "forever", ...options } },
    ),
  ).initialize();
  try {
    await eventLog(dataSource).install();
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

async function caller(url: string, rounds: number): Promise<Report> {
  const calls = 5_000;
  const spool = await mkdtemp(join(tmpdir(), "typeorm-chronicle-bench-"));
  const variants: [name: string, options: ActivityOptions, inContext: boolean][] = [
    ["no context", {}, false],
    ["in a request", {}, true],
    ["in a request, addresses truncated", { ipPrivacy: "truncate", trustProxy: "10.0.0.0/8" }, true],
    ["in a request, with a spool", { spool }, true],
  ];
  const rows: Report["rows"][number][] = [];
  for (const [name, options, inContext] of variants) {
    const samples: number[] = [];
    await withActivity(url, { batch: { size: 1_000_000, intervalMs: 600_000 }, ...options }, async (dataSource) => {
      const { activity: log } = eventLog(dataSource);
      const run = () => {
        for (let call = 0; call < calls; call++) log.record("sign_in", input);
      };
      for (let round = 0; round <= rounds; round++) {
        const began = process.cpuUsage();
        if (inContext) inRequest(run);
        else run();
        const { user, system } = process.cpuUsage(began);
        if (round > 0) samples.push((user + system) / calls); // the first warms up
        await log.flush();
      }
    });
    rows.push({ record: name, "CPU µs a call": rounded(median(samples)), aim: "<= 5" });
  }
  await rm(spool, { recursive: true, force: true });
  return {
    title: `activity.record, in the caller (${calls} calls, ${rounds} rounds, median; CPU time, garbage collection included)`,
    rows,
  };
}

async function batches(url: string, rounds: number): Promise<Report> {
  const count = 10_000;
  const samples: number[] = [];
  const inserts: number[] = [];
  await withActivity(url, { batch: { size: 1_000, intervalMs: 600_000 } }, async (dataSource) => {
    const { activity: log } = eventLog(dataSource);
    for (let round = 0; round <= rounds; round++) {
      await runOn(
        url,
        "alter table chronicle.activity disable trigger append_only; truncate chronicle.activity; alter table chronicle.activity enable trigger append_only",
      );
      const started = performance.now();
      inRequest(() => {
        for (let entry = 0; entry < count; entry++) log.record("page_view", input);
      });
      await log.flush();
      if (round > 0) samples.push((count * 1_000) / (performance.now() - started));
      // The limit: the same rows by one insert from a table without Node.
      await runOn(
        url,
        "drop table if exists copied; create table copied as select * from chronicle.activity; alter table chronicle.activity disable trigger append_only; truncate chronicle.activity; alter table chronicle.activity enable trigger append_only",
      );
      const [, ms] = await insertCopied(url);
      if (round > 0) inserts.push((count * 1_000) / ms);
    }
    await runOn(url, "drop table copied");
  });
  return {
    title: `Entries through batches of 1 000 (${count} entries, ${rounds} rounds, median)`,
    rows: [
      { way: "record and flush", "entries/s": rounded(median(samples)), aim: ">= 50 000" },
      {
        way: "the same rows, insert … select inside PostgreSQL",
        "entries/s": rounded(median(inserts)),
        aim: "the limit",
      },
    ],
  };
}

async function insertCopied(url: string): Promise<[unknown, number]> {
  const [row] = await runOn(
    url,
    "select string_agg(quote_ident(column_name), ', ') as names from information_schema.columns where table_schema = 'chronicle' and table_name = 'activity' and is_generated = 'NEVER'",
  );
  const started = performance.now();
  const result = await runOn(
    url,
    `insert into chronicle.activity (${String(row?.names)}) select ${String(row?.names)} from copied`,
  );
  return [result, performance.now() - started];
}

async function memory(url: string): Promise<Report> {
  return withActivity(url, { batch: { size: 1_000_000, intervalMs: 600_000 } }, async (dataSource) => {
    const { activity: log } = eventLog(dataSource);
    const used = () => {
      globalThis.gc?.();
      return process.memoryUsage().heapUsed / 2 ** 20;
    };
    const before = used();
    for (let entry = 0; entry < 10_000; entry++) inRequest(() => log.record("page_view", input));
    const full = used();
    for (let entry = 0; entry < 100_000; entry++) inRequest(() => log.record("page_view", input));
    const beyond = used();
    await log.flush();
    return {
      title: "Memory with the queue full (10 000 entries)",
      notes: globalThis.gc === undefined ? ["without --expose-gc: garbage is counted too"] : [],
      rows: [
        { state: "queue full", "MiB more": rounded(full - before) },
        { state: "100 000 more recorded and dropped", "MiB more": rounded(beyond - before) },
      ],
    };
  });
}

async function exported(url: string, entries: number): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-bench-"));
  try {
    return await withActivity(url, {}, async (dataSource) => {
      await runOn(
        url,
        `insert into chronicle.activity (id, occurred_at, action, outcome, severity, actor_type, actor_id, subject, params, request, node)
        select gen_random_uuid(), now() - make_interval(secs => n * 0.01), 'page_view', 'success', 'info', 'user', (n % 1000)::text, 'subject ' || n % 5000,
          '{"email": "ada@example.org", "remember": true}', '{"ip": "203.0.113.9", "method": "GET", "path": "/", "userAgent": "Mozilla/5.0"}', 'bench'
        from generate_series(1, ${entries}) n`,
      );
      await runOn(url, "vacuum analyze chronicle.activity");
      const rows: Report["rows"][number][] = [];
      for (const format of ["jsonl", "csv", "json"] as const) {
        const file = join(folder, `audit.${format}`);
        let peak = 0;
        const base = process.memoryUsage().rss;
        const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
        const started = performance.now();
        const found = await eventLog(dataSource).activity.export(file, { action: "page_view" });
        const seconds = (performance.now() - started) / 1_000;
        clearInterval(timer);
        rows.push({
          format,
          entries: found.entries,
          seconds: rounded(seconds),
          "entries/s": rounded(found.entries / seconds),
          "MiB written": rounded((await stat(file)).size / 2 ** 20),
          "peak MiB more": rounded(Math.max(0, peak - base) / 2 ** 20),
        });
        await rm(file);
      }
      return { title: "Export to a file", rows };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
