import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClsPluginTransactional, Propagation, TransactionHost } from "@nestjs-cls/transactional";
import { TransactionalAdapterTypeOrm } from "@nestjs-cls/transactional-adapter-typeorm";
import { expect } from "chai";
import { ClsModule, ClsService } from "nestjs-cls";
import { DataSource } from "typeorm";
import { withRequestContext } from "../../src/index.js";
import { Oracle } from "../oracle.js";
import { TrackedApplication } from "../tracked-application.js";
import { blog, blogTables, Tag } from "./entities/blog.js";
import { unique } from "./paths/write-path.js";

describe("transactions that packages hold in the background", () => {
  it("are recorded as they are: typeorm-transactional", async function () {
    this.timeout(60_000);
    const worker = new Worker(new URL("./typeorm-transactional.js", import.meta.url));
    const [recorded] = await once(worker, "message");
    await once(worker, "exit");
    expect(recorded).to.deep.equal({ create: 2, update: 2, destroy: 1, transactions: 2 });
  });

  it("are recorded as they are: @nestjs-cls/transactional", async function () {
    this.timeout(60_000);
    const application = await TrackedApplication.start(blog);
    const { dataSource } = application;
    @Module({ providers: [{ provide: DataSource, useValue: dataSource }], exports: [DataSource] })
    class Database {}
    @Module({
      imports: [
        ClsModule.forRoot({
          plugins: [
            new ClsPluginTransactional({
              imports: [Database],
              adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: DataSource }),
            }),
          ],
        }),
      ],
    })
    class Application {}
    const nest = await NestFactory.createApplicationContext(Application, { logger: false });
    try {
      const oracle = await Oracle.watch(application, blogTables);
      const host = nest.get<TransactionHost<TransactionalAdapterTypeOrm>>(TransactionHost);
      const actor = { type: "test", id: "2", name: "@nestjs-cls/transactional" };
      const aTag = () => host.tx.getRepository(Tag).save({ name: unique("tag") });
      const recorded = await oracle.compare(
        () =>
          withRequestContext({ actor }, () =>
            nest.get(ClsService).run(async () => {
              await host.withTransaction(async () => {
                const tag = await aTag();
                await host.tx.update(Tag, { name: tag.name }, { color: "red" });
                await host.withTransaction(Propagation.RequiresNew, aTag);
                await host
                  .withTransaction(Propagation.Nested, async () => {
                    await aTag();
                    throw new Error("given up");
                  })
                  .catch(String);
              });
              await host
                .withTransaction(async () => {
                  await aTag();
                  throw new Error("given up");
                })
                .catch(String);
            }),
          ),
        actor,
      );
      expect(recorded).to.deep.equal({ create: 2, update: 1, destroy: 0 });
      const transactions = await application.value("select count(distinct transaction_id) from chronicle.event");
      expect(transactions).to.equal("2");
    } finally {
      await nest.close();
      if (dataSource.isInitialized) await application.stop();
    }
  });
});
