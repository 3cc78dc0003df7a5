import "reflect-metadata";
import { parentPort } from "node:worker_threads";
import {
  addTransactionalDataSource,
  initializeTransactionalContext,
  Propagation,
  runInTransaction,
} from "typeorm-transactional";
import { withRequestContext } from "../../src/index.js";
import { Oracle } from "../oracle.js";
import { blog, blogTables, Tag } from "./entities/blog.js";
import { unique } from "./paths/write-path.js";
import { TrackedApplication } from "../tracked-application.js";

/** In a thread of its own: the package changes TypeORM's prototypes for the whole process. */
initializeTransactionalContext();
const application = await TrackedApplication.start(blog);
try {
  addTransactionalDataSource(application.dataSource);
  const oracle = await Oracle.watch(application, blogTables);
  const tags = application.dataSource.getRepository(Tag);
  const aTag = () => tags.save({ name: unique("tag") });
  const givenUp = (work: () => Promise<unknown>) => work().catch((error: unknown) => String(error));
  const actor = { type: "test", id: "1", name: "typeorm-transactional" };
  const recorded = await oracle.compare(
    () =>
      withRequestContext({ actor }, async () => {
        await runInTransaction(async () => {
          const tag = await aTag();
          await tags.update({ name: tag.name }, { color: "red" });
          await application.dataSource.query("update tag set color = 'blue' where name = $1", [tag.name]);
          await runInTransaction(aTag, { propagation: Propagation.REQUIRES_NEW });
          await givenUp(() =>
            runInTransaction(
              async () => {
                await aTag();
                throw new Error("given up");
              },
              { propagation: Propagation.NESTED },
            ),
          );
          await tags.delete({ name: tag.name });
        });
        await givenUp(() =>
          runInTransaction(async () => {
            await aTag();
            throw new Error("given up");
          }),
        );
      }),
    actor,
  );
  const [{ count } = {}] = await application.query("select count(distinct transaction_id) from chronicle.event");
  parentPort?.postMessage({ ...recorded, transactions: Number(count) });
} finally {
  await application.stop();
}
