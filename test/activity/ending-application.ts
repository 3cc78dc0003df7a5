import "reflect-metadata";
import { writeSync } from "node:fs";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { TypeOrmModule } from "@nestjs/typeorm";
import { eventLog } from "../../src/index.js";
import { EventLogModule } from "../../src/nestjs/index.js";
import { newDataSource } from "../tracked-application.js";
import { Account } from "./account.js";

/**
 * An application that is to be ended by a signal while entries wait: `ending-application.js <url> <way>`. Ways: `plain` leaves it to
 * Node, `flush` has flushOnSignals, `listener` has it beside a listener of its own that ends the process later, `nest` has shutdown
 * hooks, `nest-flush` has both.
 */
const [url = "", way = ""] = process.argv.slice(2);

const dataSource = newDataSource(
  url,
  [Account],
  {},
  {
    activity: {
      batch: { size: 1_000, intervalMs: 600_000 },
      flushOnSignals: ["flush", "listener", "nest-flush"].includes(way),
    },
  },
);

@Module({
  imports: [
    TypeOrmModule.forRootAsync({ useFactory: () => dataSource.options, dataSourceFactory: async () => dataSource }),
    EventLogModule.forRoot({}),
  ],
})
class Application {}

if (way.startsWith("nest")) {
  const app = await NestFactory.createApplicationContext(Application, { logger: false });
  app.enableShutdownHooks();
} else await dataSource.initialize();
if (way === "listener") {
  let heard = 6; // so that hearing of it once ends in 7
  for (const signal of ["SIGTERM", "SIGINT"])
    process.on(signal, () => {
      heard++;
      setTimeout(() => process.exit(heard), 1_500);
    });
}

const { activity } = eventLog(dataSource);
activity.record("first", { subject: way });
await activity.flush();
for (let index = 0; index < 3; index++) activity.record("last words", { subject: way });
writeSync(1, "ready\n");
setInterval(() => undefined, 60_000); // what a server does
