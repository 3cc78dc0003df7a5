import type { DataSource, EntityManager } from "typeorm";
import { CopyIn } from "./copy-in.js";
import { ownError } from "./database-errors.js";
import { EventLogError } from "./errors.js";
import { ownStatement, type PgClient, type PgClientClass } from "./pg-client.js";
import { sql, type Statement } from "./sql.js";

/** A row as Postgres writes it: every value as text. What it means is said where it is read. */
export type TextRow = Record<string, string | null>;

/** Under these, images in the log are read back as they were written, whatever the role or the database has set. */
const settings = {
  search_path: "pg_catalog, pg_temp",
  extra_float_digits: "1",
  datestyle: "'ISO, YMD'",
  intervalstyle: "'postgres'",
  timezone: "'UTC'",
  bytea_output: "'hex'",
  lc_monetary: "'C'",
  xmloption: "content",
  array_nulls: "on",
  standard_conforming_strings: "on",
  client_min_messages: "'warning'",
  row_security: "off", // a statement that it would hide rows from fails
};
const pinned = Object.entries(settings)
  .map(([name, value]) => `set local ${name} = ${value}`)
  .join("; ");

/** What work may set for itself, where that goes on inside a transaction of the caller. */
const settingsOfWork = ["lock_timeout", "jit", "work_mem"];

interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
}

const asText = { getTypeParser: () => (value: string) => value };

/**
 * A connection for the library's own statements. All of them run in a transaction under pinned settings, so that no
 * name is looked up where others may create one: those of `transaction`, `nested` and `snapshot` in that one, every
 * other in one of its own. Type parsers that the application has set do not apply to it.
 */
export class Session {
  readonly #isNested: boolean;
  #isPinned = false;

  /** `isNested`: the caller has a transaction open on the connection, which goes on. (Default: false) */
  constructor(
    private readonly client: PgClient,
    { isNested = false }: { isNested?: boolean } = {},
  ) {
    this.#isNested = isNested;
  }

  /** The rows of one statement. */
  async rows(statement: Statement): Promise<TextRow[]> {
    return (await this.#send<TextRow>({ ...statement, types: asText })).rows;
  }

  /** Runs one statement as one message, outside of pinned settings: every name in it must be qualified. */
  async sendQualified(statement: Statement): Promise<void> {
    try {
      await this.#query(statement);
    } catch (error) {
      throw ownError(error);
    }
  }

  /** The rows with values as the application's own type parsers give them. */
  async typedRows(statement: Statement): Promise<Record<string, unknown>[]> {
    return (await this.#send<Record<string, unknown>>(statement)).rows;
  }

  /** Runs one statement; how many rows it wrote. */
  async write(statement: Statement): Promise<number> {
    return (await this.#send(statement)).rowCount ?? 0;
  }

  /** The first row. */
  async row(statement: Statement): Promise<TextRow | undefined> {
    return (await this.rows(statement))[0];
  }

  /**
   * A manager whose statements go through this session, in the transaction that is open on it, and that no subscriber
   * hears.
   */
  manager(dataSource: DataSource): EntityManager {
    const query = (text: string, values?: readonly unknown[]) => this.#send({ text, values });
    // As connect() and startTransaction() would leave it, so that a transaction begun on it is a savepoint of ours.
    return Object.assign(dataSource.createQueryRunner("master"), {
      dataSource: Object.create(dataSource, { subscribers: { value: [] } }) as DataSource,
      databaseConnection: { query },
      isTransactionActive: true,
      transactionDepth: 1,
    }).manager;
  }

  /** Statements without parameters, one message. */
  async run(text: string): Promise<void> {
    await this.#send({ text });
  }

  /** Runs statements without parameters, of which one copies texts in, as one message: no server's log has them. */
  async copyIn(statements: string, texts: readonly string[]): Promise<void> {
    if (!this.#isPinned) return this.transaction(() => this.copyIn(statements, texts));
    try {
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null) => (error === null ? resolve() : reject(error));
        this.client.query(Object.assign(new CopyIn(statements, texts, done), { [ownStatement]: true }));
      });
    } catch (error) {
      throw ownError(error);
    }
  }

  async #send<Row>(query: object): Promise<Result<Row>> {
    if (!this.#isPinned && this.#isNested) return this.nested(() => this.#send<Row>(query));
    try {
      return (await (this.#isPinned ? this.#query(query) : this.#queryAlone(query))) as Result<Row>;
    } catch (error) {
      throw ownError(error);
    }
  }

  #query(query: object): unknown {
    return this.client.query({ ...query, [ownStatement]: true });
  }

  async #queryAlone(query: object): Promise<unknown> {
    await this.#query({ text: `start transaction; ${pinned}` });
    try {
      return await this.#query(query);
    } finally {
      await this.#query({ text: "commit" }); // after an error, this rolls back
    }
  }

  /**
   * Whether a pooler stands between (pgbouncer in transaction mode): then each transaction may be on another connection
   * of the server, and temporary tables are left on it for others.
   */
  async isPooled(): Promise<boolean> {
    return (await this.serverProcess()) !== String(this.processID);
  }

  /** The server's process that answers now. */
  async serverProcess(): Promise<string | null | undefined> {
    return (await this.row(sql`select pg_backend_pid() as pid`))?.pid;
  }

  /** The one that the connection was made to, as the Client knows it. */
  get processID(): unknown {
    return this.client.processID;
  }

  /** Runs `work` in a transaction under pinned settings, inside the caller's if that is open; taken back if it throws. */
  async transaction<T>(
    work: () => Promise<T>,
    { mode = "isolation level read committed" }: { mode?: string } = {},
  ): Promise<T> {
    if (this.#isNested && !this.#isPinned) return this.nested(work);
    return this.#whilePinned(async () => {
      await this.run(`start transaction ${mode}; ${pinned}`);
      try {
        const result = await work();
        await this.run("commit");
        return result;
      } catch (error) {
        await this.run("rollback").catch(() => undefined); // the first error is the one to tell
        throw error;
      }
    });
  }

  /**
   * Runs `work` inside the transaction that the caller has open on this connection, as a savepoint; its settings are
   * put back, for the statements that come after.
   */
  async nested<T>(work: () => Promise<T>): Promise<T> {
    return this.#whilePinned(async () => {
      const before = await this.rows(sql`
        select name, pg_catalog.current_setting(name) as value
        from pg_catalog.unnest(${[...Object.keys(settings), ...settingsOfWork]}::pg_catalog.text[]) as n (name)`);
      await this.run(`savepoint chronicle; ${pinned}`);
      try {
        const result = await work();
        for (const { name, value } of before)
          await this.rows(sql`select pg_catalog.set_config(${name}, ${value}, true)`);
        await this.run("release savepoint chronicle");
        return result;
      } catch (error) {
        await this.run("rollback to savepoint chronicle").catch(() => undefined); // the first error is the one to tell
        throw error;
      }
    });
  }

  async #whilePinned<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#isPinned;
    this.#isPinned = true;
    try {
      return await work();
    } finally {
      this.#isPinned = before;
    }
  }

  /** Runs `work` that may fail, inside the transaction that is open: it goes on as if that had not been tried. */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    await this.run("savepoint chronicle_attempt");
    try {
      const result = await work();
      await this.run("release savepoint chronicle_attempt");
      return result;
    } catch (error) {
      await this.run("rollback to savepoint chronicle_attempt; release savepoint chronicle_attempt");
      throw error;
    }
  }

  /** One snapshot for all that `work` reads, taken by its first query. */
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

/** A connection of its own, to be ended by the caller. `settings` go on top of those of the DataSource;
 * `onWake` is called for a notification, and when the connection is lost. */
export async function connect(
  dataSource: DataSource,
  settings: object = {},
  onWake: () => void = () => undefined,
): Promise<PgClient> {
  const { options } = driverOf(dataSource).master;
  const client = new options.Client({ ...options, ...settings });
  client.on("error", onWake); // told by the statement that fails
  client.on("end", onWake);
  client.on("notification", onWake);
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
