import { DataSource } from "typeorm";
import { eventLog, withEventLog } from "../../src/index.js";
import { Account, accountValues } from "./account.js";
import { accountsAtStart } from "./operations.js";

/** The same application twice, on two databases: as TypeORM alone has it, and tracked. */
export interface Sources {
  readonly plain: DataSource;
  readonly tracked: DataSource;
}

export async function withSources<T>(urls: readonly string[], work: (sources: Sources) => Promise<T>): Promise<T> {
  const options = urls.map((url) => ({
    type: "postgres" as const,
    url,
    entities: [Account],
    synchronize: true,
    poolSize: 16,
  }));
  const [plain, tracked] = [options[0], withEventLog(options[1] as NonNullable<(typeof options)[1]>)].map(
    (given) => new DataSource(given as NonNullable<(typeof options)[0]>),
  ) as [DataSource, DataSource];
  try {
    await plain.initialize();
    await tracked.initialize();
    await eventLog(tracked).install();
    for (const dataSource of [plain, tracked]) await fill(dataSource);
    return await work({ plain, tracked });
  } finally {
    for (const dataSource of [plain, tracked]) if (dataSource.isInitialized) await dataSource.destroy();
  }
}

async function fill(dataSource: DataSource): Promise<void> {
  const accounts = Array.from({ length: accountsAtStart }, (_, index) => accountValues(index));
  await dataSource.getRepository(Account).save(accounts, { chunk: 1_000 });
  await dataSource.query("vacuum analyze");
}
