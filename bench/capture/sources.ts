import { DataSource, type DataSourceOptions } from "typeorm";
import { eventLog, withEventLog } from "../../src/index.js";
import { Account, accountValues } from "./account.js";
import { accountsAtStart } from "./operations.js";

type PostgresOptions = Extract<DataSourceOptions, { type: "postgres" }>;

/**
 * The same application on four databases: as TypeORM alone has it, tracked by triggers, the same with signed contexts, and
 * tracked by the entity subscriber.
 */
export interface Sources {
  readonly plain: DataSource;
  readonly tracked: DataSource;
  readonly signed: DataSource;
  readonly subscriber: DataSource;
}

export async function withSources<T>(urls: readonly string[], work: (sources: Sources) => Promise<T>): Promise<T> {
  const options = (url = ""): PostgresOptions => ({
    type: "postgres",
    url,
    entities: [Account],
    synchronize: true,
    poolSize: 16,
  });
  const sources: Sources = {
    plain: new DataSource(options(urls[0])),
    tracked: new DataSource(withEventLog(options(urls[1]))),
    signed: new DataSource(withEventLog(options(urls[3]), { context: { key } })),
    subscriber: new DataSource(withEventLog(options(urls[2]), { capture: "subscriber", uncaptured: "ignore" })),
  };
  try {
    for (const dataSource of Object.values(sources) as DataSource[]) {
      await dataSource.initialize();
      if (dataSource !== sources.plain) await eventLog(dataSource).install();
      await fill(dataSource);
    }
    return await work(sources);
  } finally {
    for (const dataSource of Object.values(sources) as DataSource[])
      if (dataSource.isInitialized) await dataSource.destroy();
  }
}

const key = { id: "bench", secret: "at least as long as a secret has to be" };

/** Whether the subscriber records all of an operation's writes. */
export async function isRecorded(
  { subscriber }: Sources,
  operation: (dataSource: DataSource) => Promise<unknown>,
): Promise<boolean> {
  const log = eventLog(subscriber);
  const count = async () => (await log.status()).uncaptured.reduce((sum, { count: times }) => sum + times, 0);
  const before = await count();
  await operation(subscriber);
  return (await count()) === before;
}

export async function fill(dataSource: DataSource): Promise<void> {
  const accounts = Array.from({ length: accountsAtStart }, (_, index) => accountValues(index));
  await dataSource.getRepository(Account).save(accounts, { chunk: 1_000 });
  await dataSource.query("vacuum analyze");
}
