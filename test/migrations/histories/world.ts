import pg from "pg";
import type { DataSource } from "typeorm";
import { type EventLog, eventLog } from "../../../src/index.js";
import { createDatabase, type TestDatabase } from "../../database.js";
import { newDataSource } from "../../tracked-application.js";
import { entitiesOf } from "./entities.js";
import { type Model } from "./model.js";
import { makeDeaths } from "./lives.js";
import { createTable } from "./table-sql.js";
import { literal, quoted } from "./quoted.js";
import { Divergence, nameOf } from "./divergence.js";

export type SessionName = "A" | "B";

/** A database, two sessions that know nothing of the library, and the application as its last release is. */
export class World {
  /** Everything that was done, one statement a line, to be done again by hand. */
  readonly lines: string[] = [];
  #dataSource: DataSource | undefined;

  private constructor(
    readonly database: TestDatabase,
    readonly sessions: Readonly<Record<SessionName, pg.Client>>,
    /** Looks on and keeps the copies. */
    readonly watcher: pg.Client,
  ) {}

  static async start(): Promise<World> {
    const database = await createDatabase();
    const connect = async () => {
      const client = new pg.Client({ connectionString: database.url });
      client.on("error", () => undefined);
      await client.connect();
      await client.query("set timezone = 'UTC'; set statement_timeout = '20s'");
      return client;
    };
    const [A, B, watcher] = [await connect(), await connect(), await connect()];
    return new World(database, { A, B }, watcher);
  }

  get log(): EventLog {
    if (this.#dataSource === undefined) throw new Error("There is no release yet.");
    return eventLog(this.#dataSource);
  }

  /** Runs a statement in a session and notes it, with how it ended. */
  async query(session: SessionName, sql: string): Promise<void> {
    const line = this.lines.push(`${session}: ${sql}`) - 1;
    try {
      await this.sessions[session].query(sql);
    } catch (error) {
      this.lines[line] += ` -- ${nameOf(error)}`;
      throw error;
    }
  }

  async create(model: Model): Promise<void> {
    const enums = model.enums.map(
      ({ name, labels }) => `create type ${quoted(name)} as enum (${labels.map(literal).join(", ")})`,
    );
    const lookOn = "create function public.look_on() returns trigger language plpgsql as 'begin return null; end'";
    const tables = model.tables.map((table) => createTable(model, table));
    await this.watcher.query(
      `create schema scratch; ${makeDeaths}; create table scratch.taken (copy text, deaths bigint)`,
    );
    for (const sql of [...enums, lookOn, ...tables]) await this.query("A", sql);
  }

  /** Deploys the code of today: a new process, which installs first. */
  async release(model: Model): Promise<void> {
    this.lines.push(
      `install ${JSON.stringify(model.tables.map(({ name, columns }) => ({ name, columns: columns.map(describe) })))}`,
    );
    await this.#dataSource?.destroy();
    this.#dataSource = await newDataSource(this.database.url, entitiesOf(model)).initialize();
    await this.log.install().catch((error: unknown) => {
      throw new Divergence("install fails", nameOf(error));
    });
  }

  /** Waits until a session waits for a lock, or has ended what it was at. */
  async untilBlocked(session: SessionName, done: Promise<unknown>): Promise<void> {
    let isDone = false;
    done.then(
      () => (isDone = true),
      () => (isDone = true),
    );
    const pid = (this.sessions[session] as pg.Client & { processID: number }).processID;
    const waiting = "select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'";
    while (!isDone && (await this.watcher.query(waiting, [pid])).rowCount === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async stop(): Promise<void> {
    await this.#dataSource?.destroy();
    for (const client of [...Object.values(this.sessions), this.watcher]) await client.end();
    await this.database.drop();
  }
}

function describe({ name, type, role }: Model["tables"][number]["columns"][number]): string {
  const typed = typeof type === "string" ? type : `${type.enumName}${type.isArray ? "[]" : ""}`;
  return `${name} ${typed}${role === "plain" ? "" : ` ${role}`}`;
}
