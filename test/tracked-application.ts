import pg from "pg";
import { DataSource, type DataSourceOptions } from "typeorm";
import { type EventLog, eventLog, type EventLogOptions, type InstallOptions, withEventLog } from "../src/index.js";
import { createDatabase, type TestDatabase } from "./database.js";

type PostgresOptions = Extract<DataSourceOptions, { type: "postgres" }>;

export interface ApplicationOptions {
  /** The second argument of withEventLog. (Default: none) */
  readonly log?: EventLogOptions | undefined;
  /** More options of the DataSource. (Default: none) */
  readonly dataSource?: Partial<PostgresOptions> | undefined;
  /** Runs in the empty database, before TypeORM makes the tables. */
  readonly prepare?: ((database: TestDatabase) => Promise<unknown>) | undefined;
  /** The server to use. (Default: that of DATABASE_URL) */
  readonly server?: string | undefined;
  /** false leaves the log out. (Default: installed) */
  readonly install?: InstallOptions | false | undefined;
}

/** An application with tracked entities, on a database of its own. */
export class TrackedApplication {
  private constructor(
    readonly database: TestDatabase,
    readonly dataSource: DataSource,
    /** A connection that the library knows nothing of. */
    private readonly outside: pg.Client,
  ) {}

  /** Makes the database, the tables of the entities, and the log. */
  static async start(
    entities: NonNullable<DataSourceOptions["entities"]>,
    { log, dataSource: more, prepare, server, install }: ApplicationOptions = {},
  ): Promise<TrackedApplication> {
    const database = await createDatabase({ server });
    await prepare?.(database);
    const dataSource = newDataSource(database.url, entities, { synchronize: true, ...more }, log);
    const outside = new pg.Client({ connectionString: database.url });
    outside.on("error", () => undefined);
    try {
      await outside.connect();
      await dataSource.initialize();
      if (install !== false) await eventLog(dataSource).install(install);
    } catch (error) {
      await outside.end();
      if (dataSource.isInitialized) await dataSource.destroy();
      await database.drop();
      throw error;
    }
    return new TrackedApplication(database, dataSource, outside);
  }

  get log(): EventLog {
    return eventLog(this.dataSource);
  }

  get manager(): DataSource["manager"] {
    return this.dataSource.manager;
  }

  /** Runs SQL past the library. */
  async query<Row extends pg.QueryResultRow = Record<string, string>>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    return (await this.outside.query<Row>(sql, [...values])).rows;
  }

  /** The one value of a query of one row and column, past the library. */
  async value<T = string>(sql: string, values: readonly unknown[] = []): Promise<T> {
    const [row] = await this.query<Record<string, T>>(sql, values);
    return Object.values(row ?? {})[0] as T;
  }

  /** How many events there are. */
  async countEvents(schema = "chronicle"): Promise<number> {
    return Number(await this.value(`select count(*) from ${pg.escapeIdentifier(schema)}.event`));
  }

  async stop(): Promise<void> {
    await this.dataSource.destroy();
    await this.outside.end();
    await this.database.drop();
  }
}

/** A DataSource with a log, that is not initialized. */
export function newDataSource(
  url: string,
  entities: NonNullable<DataSourceOptions["entities"]>,
  more: Partial<PostgresOptions> = {},
  log: EventLogOptions = {},
): DataSource {
  return new DataSource(withEventLog({ type: "postgres", url, entities, ...more }, log));
}
