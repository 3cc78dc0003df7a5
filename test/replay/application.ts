import { expect } from "chai";
import pg from "pg";
import { DataSource, type DataSourceOptions } from "typeorm";
import {
  type EventFilter,
  type EventLog,
  eventLog,
  type EventLogOptions,
  type RecordedEvent,
  type ReplayReport,
  withEventLog,
} from "../../src/index.js";
import { createDatabase, type TestDatabase } from "../database.js";
import { differencesOf, type LiveRows, readLiveRows } from "../live-rows.js";

/** A rejection's error, or a failure where there is none. */
export async function rejectionOf(work: PromiseLike<unknown>): Promise<Error & { code?: string; details?: unknown }> {
  let result: unknown;
  try {
    result = await work;
  } catch (error) {
    return error as Error & { code?: string };
  }
  return expect.fail(`expected a rejection, got ${String(result)}`);
}

export interface Setting extends EventLogOptions {
  readonly entities: NonNullable<DataSourceOptions["entities"]>;
  /** SQL that runs before TypeORM makes the tables of the entities. */
  readonly before?: string;
  /** SQL that runs after that, before the log is installed. */
  readonly after?: string;
  readonly dataSource?: Partial<DataSourceOptions>;
  /** A closed application whose database is copied, with its tables and its log. (Default: made anew) */
  readonly copyOf?: Application;
}

/** An application on a database of its own, with its log, and a connection that knows nothing of either. */
export class Application {
  readonly #dataSources: DataSource[] = [];
  readonly #clients: pg.Client[] = [];
  #database: TestDatabase | undefined;
  #moments = 0;
  db!: pg.Client;
  dataSource!: DataSource;
  log!: EventLog;

  constructor(readonly setting: Setting) {}

  get url(): string {
    return this.#database?.url ?? expect.fail("the application has not started");
  }

  async start(): Promise<void> {
    const { copyOf } = this.setting;
    const original = copyOf === undefined ? undefined : copyOf.#database;
    this.#database = await createDatabase({ copyOf: original });
    this.db = await this.connect();
    if (copyOf !== undefined) {
      ({ dataSource: this.dataSource, log: this.log } = await this.open(this.setting));
      return;
    }
    if (this.setting.before) await this.db.query(this.setting.before);
    ({ dataSource: this.dataSource, log: this.log } = await this.open(this.setting, { synchronize: true }));
    if (this.setting.after) await this.db.query(this.setting.after);
    await this.log.install();
  }

  async stop(): Promise<void> {
    await this.close();
    await this.#database?.drop();
  }

  /** Ends its connections; the database stays. */
  async close(): Promise<void> {
    for (const dataSource of this.#dataSources) if (dataSource.isInitialized) await dataSource.destroy();
    for (const client of this.#clients) await client.end().catch(() => undefined);
  }

  /** One more process of the application, with other code: another version of entities, other handlers. */
  async open(setting: Setting, { synchronize = false } = {}): Promise<{ dataSource: DataSource; log: EventLog }> {
    const { entities, before: _before, after: _after, copyOf: _copyOf, dataSource: more, ...options } = setting;
    const dataSource = new DataSource(
      withEventLog({ type: "postgres", url: this.url, entities, synchronize, ...more } as DataSourceOptions, options),
    );
    this.#dataSources.push(dataSource);
    await dataSource.initialize();
    return { dataSource, log: eventLog(dataSource) };
  }

  /** Another connection past the library. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    client.on("error", () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** Plain SQL; its rows. */
  async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.db.query<Row>(text, values)).rows;
  }

  rows(): Promise<LiveRows> {
    return readLiveRows(this.url);
  }

  async events(filter?: EventFilter): Promise<RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for await (const event of this.log.events(filter)) events.push(event);
    return events;
  }

  /** The last position of the log. */
  async position(): Promise<bigint> {
    return (await this.log.status()).position;
  }

  /** Changes rows behind the log's back: with every trigger of every tracked table disabled. */
  async spoil(...statements: string[]): Promise<void> {
    const tables = await this.#trackedTables();
    const triggers = (state: string) => tables.map((table) => `alter table ${table} ${state} trigger all`).join("; ");
    await this.db.query(`begin; ${triggers("disable")}; ${statements.join("; ")}; ${triggers("enable")}; commit`);
  }

  /** Empties every tracked table behind the log's back. */
  async wipe(): Promise<void> {
    await this.spoil(...(await this.#trackedTables()).map((table) => `delete from ${table}`));
  }

  /** Names this moment and notes what the tables hold. */
  async moment(): Promise<{ bookmark: string; rows: LiveRows }> {
    const { name: bookmark } = await this.log.bookmark(`moment ${++this.#moments}`);
    return { bookmark, rows: await this.rows() };
  }

  /** Empties the application's tables and the log, as if nothing had ever been written. */
  async startOver(): Promise<void> {
    const tables = await this.sql<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
       and (n.nspname, c.relname) not in (('chronicle', 'tracked'), ('chronicle', 'installation'), ('chronicle', 'gate'))`,
    );
    await this.db.query(
      `set session_replication_role = replica; truncate ${tables.map(({ name }) => name).join(", ")} restart identity cascade; reset session_replication_role`,
    );
  }

  async #trackedTables(): Promise<string[]> {
    const tables = await this.sql<{ name: string }>(
      "select c.oid::regclass::text as name from chronicle.tracked t join pg_class c on c.oid = t.table_oid where not t.audit_only order by 1",
    );
    return tables.map(({ name }) => name);
  }
}

/** An application for the suite that calls it, empty before each test. */
export function application(setting: Setting): Application {
  const app = new Application(setting);
  before(() => app.start());
  beforeEach(() => app.startOver());
  after(() => app.stop());
  return app;
}

/**
 * Takes the steps, noting the rows after each, and proves that replay brings back every one of those moments: the last into
 * empty tables, then each from the one after it, then the last again; that live never was other than the log said
 * meanwhile; and that verify agrees in the end.
 */
export async function proveReplay(app: Application, steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const moments: { bookmark: string; rows: LiveRows }[] = [];
  for (const [index, step] of steps.entries()) {
    await step();
    moments.push(await app.moment());
    const before = moments[index - 1]?.rows ?? new Map();
    expect(differencesOf(moments[index]?.rows ?? before, before), `what step ${index + 1} changes`).to.not.be.empty;
  }
  const last = moments.at(-1) ?? expect.fail("no step");
  const recorded = await app.position();
  await app.wipe();
  await app.log.replay();
  expect(differencesOf(await app.rows(), last.rows), "after a replay into empty tables").to.deep.equal([]);
  expect(await app.position(), "the last position after a replay to the end, which records nothing").to.equal(recorded);
  for (const { bookmark, rows } of [...moments].reverse().concat(last)) {
    const { drift } = await app.log.replay({ bookmark });
    expect(differencesOf(await app.rows(), rows), `after a replay to ${bookmark}`).to.deep.equal([]);
    expect(drift, `rows in which live was not what the log said before the replay to ${bookmark}`).to.equal(0);
  }
  await expectEqual(app, "in the end");
}

/** What verify says is "equal". */
export async function expectEqual(app: Pick<Application, "log">, when: string): Promise<void> {
  const { equal, differences } = await app.log.verify();
  expect(differences, `verify ${when}`).to.deep.equal([]);
  expect(equal, `verify ${when}`).to.equal(true);
}

/** Nothing was done: no row written, none deleted. */
export function expectUntouched({ rows }: ReplayReport): void {
  const { inserted, updated, deleted } = rows;
  expect({ inserted, updated, deleted }).to.deep.equal({ inserted: 0, updated: 0, deleted: 0 });
}

/** Waits until a query on the application's database gives a row; mocha's own timeout is the limit. */
export async function until(app: Application, text: string, values: unknown[] = []): Promise<pg.QueryResultRow> {
  for (;;) {
    const [row] = await app.sql(text, values);
    if (row !== undefined) return row;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
