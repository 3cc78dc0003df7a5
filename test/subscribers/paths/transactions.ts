import { DataSource } from "typeorm";
import { Author, Tag } from "../entities/blog.js";
import { anAuthor, type Desk, refused, savedAuthor, unique, type WritePaths } from "./write-path.js";

const aTag = (): Tag => Object.assign(new Tag(), { name: unique("tag") });

/** Fails on purpose, and lets go on. */
async function givenUp(work: (fail: () => never) => Promise<unknown>): Promise<void> {
  const given = new Error("given up");
  await work(() => {
    throw given;
  }).catch((error: unknown) => {
    if (error !== given) throw error;
  });
}

async function withRunner(desk: Desk, work: (runner: ReturnType<DataSource["createQueryRunner"]>) => Promise<unknown>) {
  const runner = desk.dataSource.createQueryRunner();
  try {
    await work(runner);
  } catch (error) {
    await runner.query("rollback");
    throw error;
  } finally {
    await runner.release();
  }
}

export const transactions: WritePaths = {
  "several writes in one": [
    { create: 3, update: 3, destroy: 1 },
    ({ dataSource }) =>
      () =>
        dataSource.transaction(async (manager) => {
          const [author, tag] = [await manager.save(anAuthor()), await manager.save(aTag())];
          await manager.save(Object.assign(author, { score: 1 }));
          await manager.update(Author, author.id, { score: 2 });
          await manager.query("update author set score = 3 where id = $1", [author.id]);
          await manager.insert(Tag, { name: unique("tag") });
          await manager.delete(Tag, tag.name);
        }),
  ],
  "changes that take each other back": [
    { create: 2, update: 2, destroy: 2 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return () =>
        desk.dataSource.transaction(async (manager) => {
          await manager.update(Author, author.id, { score: 9, changedAt: author.changedAt });
          await manager.delete(Author, author.id);
          await manager.insert(Author, { id: author.id, name: "again" });
          await manager.update(Author, author.id, { score: 4 });
          const tag = await manager.save(aTag());
          await manager.remove(tag);
        });
    },
  ],
  "rolled back": [
    {},
    ({ dataSource }) =>
      () =>
        givenUp((fail) =>
          dataSource.transaction(async (manager) => {
            await manager.save([anAuthor(), aTag()]);
            await manager.insert(Author, anAuthor());
            fail();
          }),
        ),
  ],
  "nested, the inner one rolled back": [
    { create: 2 },
    ({ dataSource }) =>
      () =>
        dataSource.transaction(async (manager) => {
          await manager.save(aTag());
          await givenUp((fail) =>
            manager.transaction(async (inner) => {
              await inner.save([anAuthor(), aTag()]);
              fail();
            }),
          );
          await manager.save(aTag());
        }),
  ],
  "nested, both committed": [
    { create: 3 },
    ({ dataSource }) =>
      () =>
        dataSource.transaction(async (manager) => {
          await manager.save(aTag());
          await manager.transaction((inner) => inner.save([anAuthor(), aTag()]));
        }),
  ],
  "nested, the outer one rolled back": [
    {},
    ({ dataSource }) =>
      () =>
        givenUp((fail) =>
          dataSource.transaction(async (manager) => {
            await manager.save(aTag());
            await manager.transaction((inner) => inner.save([anAuthor(), aTag()]));
            fail();
          }),
        ),
  ],
  "a raw SAVEPOINT and ROLLBACK TO": [
    { create: 2, update: 1 },
    ({ dataSource }) =>
      () =>
        dataSource.transaction(async (manager) => {
          const author = await manager.save(anAuthor());
          await manager.query("savepoint here");
          await manager.save(Object.assign(author, { score: 5 }));
          await manager.save(aTag());
          await manager.query("rollback to savepoint here");
          await manager.update(Author, author.id, { score: 6 });
          await manager.query("release savepoint here");
          await manager.save(aTag());
        }),
  ],
  "raw BEGIN and COMMIT": [
    { create: 2 },
    (desk) => () =>
      withRunner(desk, async (runner) => {
        await runner.query("BEGIN");
        await runner.manager.save(aTag(), { transaction: false });
        await runner.query("insert into tag (name) values ($1)", [unique("raw")]);
        await runner.query("COMMIT");
      }),
  ],
  "raw BEGIN and ROLLBACK": [
    {},
    (desk) => () =>
      withRunner(desk, async (runner) => {
        await runner.query("begin isolation level serializable");
        await runner.manager.insert(Tag, aTag());
        await runner.query("rollback");
      }),
  ],
  "a failed statement within a savepoint": [
    { create: 2 },
    async (desk) => {
      const { email } = await savedAuthor(desk);
      return () =>
        desk.dataSource.transaction(async (manager) => {
          await manager.save(aTag());
          await refused(manager.transaction((inner) => inner.save([anAuthor(), anAuthor({ email })])));
          await manager.save(aTag());
        });
    },
  ],
  "a serialization failure, then a retry on the same runner": [
    { update: 2 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () =>
        withRunner(desk, async (runner) => {
          let failures = 0;
          for (let done = false; !done;) {
            await runner.startTransaction("SERIALIZABLE");
            try {
              const { score } = await runner.manager.findOneByOrFail(Author, { id });
              if (failures === 0) await desk.manager.update(Author, id, { score: score + 10 });
              await runner.manager.update(Author, id, { score: score + 1 });
              await runner.commitTransaction();
              done = true;
            } catch (error) {
              await runner.rollbackTransaction();
              if ((error as { code?: string }).code !== "40001" || ++failures > 1) throw error;
            }
          }
          if (failures !== 1) throw new Error("There was no serialization failure.");
        });
    },
  ],
  "isolation levels": [
    { create: 3 },
    ({ dataSource }) =>
      async () => {
        for (const level of ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] as const)
          await dataSource.transaction(level, (manager) => manager.save(aTag()));
      },
  ],
  "two DataSources at a time": [
    { create: 4, update: 1 },
    async (desk) => {
      const author = await savedAuthor(desk);
      return async () => {
        const other = new DataSource({ ...desk.dataSource.options, synchronize: false });
        await other.initialize();
        await desk.dataSource.transaction(async (manager) => {
          await manager.save(aTag());
          await other.transaction(async (elsewhere) => {
            await elsewhere.save([aTag(), aTag()]);
            await elsewhere.update(Author, author.id, { score: 3 });
          });
          await manager.save(aTag());
        });
        await other.destroy();
      };
    },
  ],
};
