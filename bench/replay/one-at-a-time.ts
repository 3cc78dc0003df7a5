import { DataSource, type ObjectLiteral } from "typeorm";
import { eventLog, type RecordedEvent, withEventLog } from "../../src/index.js";
import { makeHistory } from "./history.js";
import { shopEntities, shopTables } from "./shop.js";

/** Enough for a rate; an event takes about as long in a history of any size. */
const events = 2_000;

/** Events per second when each is applied by itself, through repositories, in one transaction. */
export async function oneAtATime(url: string): Promise<number> {
  const dataSource = new DataSource(withEventLog({ type: "postgres", url, entities: shopEntities, synchronize: true }));
  await dataSource.initialize();
  try {
    const log = eventLog(dataSource);
    await log.install();
    await makeHistory(dataSource, events);
    const history: RecordedEvent[] = [];
    for await (const event of log.events()) history.push(event);
    await dataSource.query(
      `${shopTables.map((table) => `alter table ${table} disable trigger user`).join("; ")}; truncate ${shopTables.join(", ")} restart identity`,
    );
    return history.length / (await secondsToApply(url, history));
  } finally {
    await dataSource.destroy();
  }
}

async function secondsToApply(url: string, history: readonly RecordedEvent[]): Promise<number> {
  const plain = new DataSource({ type: "postgres", url, entities: shopEntities });
  await plain.initialize();
  try {
    const started = performance.now();
    await plain.transaction(async (manager) => {
      for (const { entity, action, recordId, data } of history) {
        const { metadata } = manager.getRepository(entity);
        const row = metadata.create() as ObjectLiteral;
        for (const column of metadata.columns) {
          const value = { ...data, ...recordId }[column.databaseName];
          if (value !== undefined) column.setEntityValue(row, value);
        }
        if (action === "destroy") await manager.remove(entity, row);
        else await manager.save(entity, row);
      }
    });
    return (performance.now() - started) / 1_000;
  } finally {
    await plain.destroy();
  }
}
