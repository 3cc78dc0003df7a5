import type { DataSource, EntityManager } from "typeorm";
import { asEventLogError, withoutValues } from "./database-errors.js";
import { EventLogError } from "./errors.js";
import { ownStatement, type PgClient, type PgClientClass } from "./pg-client.js";
import type { Statement } from "./sql.js";

/** A row as Postgres writes it: every value as text. What it means is said where it is read. */
export type TextRow = Record<string, string | null>;

/** Under these, images in the log are read back as they were written, whatever the role or the database has set. */
const pinned = `
  set local search_path = pg_catalog, pg_temp;
  set local extra_float_digits = 1;
  set local datestyle = 'ISO, YMD';
  set local intervalstyle = 'postgres';
  set local timezone = 'UTC';
  set local bytea_output = 'hex';
  set local lc_monetary = 'C';
  set local xmloption = 'content';
  set local array_nulls = on;
  set local standard_conforming_strings = on;
  set local client_min_messages = 'warning'`;

const asText = { getTypeParser: () => (value: string) => value };

/** A connection for the library's own statements. Type parsers that the application has set do not apply to it. */
export class Session {
  constructor(private readonly client: PgClient) {}

  /** The rows of one statement. */
  async rows(statement: Statement): Promise<TextRow[]> {
    return (await this.#send<TextRow>({ ...statement, types: asText })).rows;
  }

  /** The rows with values as the application's own type parsers give them. */
  async typedRows(statement: Statement): Promise<Record<string, unknown>[]> {
    return (await this.#send<Record<string, unknown>>(statement)).rows;
  }

  /** The first row. */
  async row(statement: Statement): Promise<TextRow | undefined> {
    return (await this.rows(statement))[0];
  }

  /** A manager whose statements go through this session, in the transaction that is open on it. */
  manager(dataSource: DataSource): EntityManager {
    const runner = dataSource.createQueryRunner("master");
    // As connect() and startTransaction() would leave it, so that a transaction begun on it is a savepoint of ours.
    return Object.assign(runner, { databaseConnection: this.client, isTransactionActive: true, transactionDepth: 1 })
      .manager;
  }

  /** Statements without parameters, one message. */
  async run(text: string): Promise<void> {
    await this.#send({ text });
  }

  async #send<Row>(query: object): Promise<{ rows: Row[] }> {
    try {
      return (await this.client.query({ ...query, [ownStatement]: true })) as { rows: Row[] };
    } catch (error) {
      throw withoutValues(asEventLogError(error));
    }
  }

  /** Runs `work` in a transaction under pinned settings; rolled back when it throws. */
  async transaction<T>(
    work: () => Promise<T>,
    { mode = "isolation level read committed" }: { mode?: string } = {},
  ): Promise<T> {
    await this.run(`start transaction ${mode}; ${pinned}`);
    try {
      const result = await work();
      await this.run("commit");
      return result;
    } catch (error) {
      await this.run("rollback").catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  }

  /** One snapshot for all that `work` reads. */
  snapshot<T>(work: () => Promise<T>): Promise<T> {
    return this.transaction(work, { mode: "isolation level repeatable read" });
  }
}

interface Pool {
  readonly options: { readonly Client: PgClientClass };
}

interface PostgresDriver {
  readonly master: Pool;
  obtainMasterConnection(): Promise<[PgClient, (error?: Error) => void]>;
}

function driverOf(dataSource: DataSource): PostgresDriver {
  if (!dataSource.isInitialized) {
    throw new EventLogError("NOT_ATTACHED", "The DataSource is not initialized.", {
      hint: "Call `await dataSource.initialize()` first.",
    });
  }
  return dataSource.driver as unknown as PostgresDriver;
}

/** A session on a connection of the application's pool: for short work. */
export async function withPooledSession<T>(dataSource: DataSource, work: (session: Session) => Promise<T>): Promise<T> {
  const [client, release] = await driverOf(dataSource).obtainMasterConnection();
  let broken: Error | undefined;
  try {
    return await work(new Session(client));
  } catch (error) {
    if (error instanceof Error && !("code" in error)) broken = error;
    throw error;
  } finally {
    release(broken);
  }
}

/** A session on a connection of its own, so that work which waits never takes one from the application's pool. */
export async function withOwnSession<T>(dataSource: DataSource, work: (session: Session) => Promise<T>): Promise<T> {
  const client = await connect(dataSource);
  try {
    return await work(new Session(client));
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A connection of its own, to be ended by the caller. `settings` go on top of those of the DataSource. */
export async function connect(dataSource: DataSource, settings: object = {}): Promise<PgClient> {
  const { options } = driverOf(dataSource).master;
  const client = new options.Client({ ...options, ...settings });
  client.on("error", () => undefined); // told by the statement that fails
  await client.connect();
  return client;
}

/** The number of a column that holds a count or a position. */
export function numberOf(row: TextRow | undefined, column: string): number {
  return Number(row?.[column] ?? 0);
}

export function positionOf(row: TextRow | undefined, column: string): bigint {
  return BigInt(row?.[column] ?? 0);
}
