import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { DataSource, type MigrationInterface, type QueryRunner } from "typeorm";
import { Basket, BasketItem, Tag } from "../entities/blog.js";
import { type Desk, savedAuthor, unique, type WritePaths } from "./write-path.js";

interface Pool {
  connect(): Promise<pg.PoolClient>;
}

/** A client from the pool beneath TypeORM. */
async function withClient<T>({ dataSource }: Desk, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await (dataSource.driver as unknown as { master: Pool }).master.connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
}

async function withRunner<T>({ dataSource }: Desk, work: (runner: QueryRunner) => Promise<T>): Promise<T> {
  const runner = dataSource.createQueryRunner();
  try {
    return await work(runner);
  } finally {
    await runner.release();
  }
}

class WritesTags1700000000000 implements MigrationInterface {
  name = "WritesTags1700000000000";
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("insert into tag (name, color) values ($1, 'red'), ($2, 'red')", [unique("a"), unique("b")]);
    await runner.manager.update(Tag, { color: "red" }, { color: "of the migration" });
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.manager.delete(Tag, { color: "of the migration" });
  }
}

export const sqlPaths: WritePaths = {
  "manager.query": [
    { create: 2, update: 1, destroy: 1 },
    ({ manager }) =>
      async () => {
        const [name, other] = [unique("sql"), unique("sql")];
        await manager.query("insert into tag values ($1, 'red'), ($2, 'red')", [name, other]);
        await manager.query("update tag set color = 'blue' where name = $1", [name]);
        await manager.query("delete from tag where name = $1", [other]);
      },
  ],
  "several statements in one query": [
    { create: 2 },
    ({ manager }) =>
      () =>
        manager.query(
          `insert into tag values ('${unique("a")}', null); insert into tag values ('${unique("b")}', null)`,
        ),
  ],
  "queryRunner.query": [
    { create: 1 },
    (desk) => () =>
      withRunner(desk, (runner) => runner.query("insert into basket (label) values ($1)", ["by a query runner"])),
  ],
  "the sql tag": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.sql`insert into tag (name, color) values (${unique("tagged")}, ${"red"})`,
  ],
  "queryRunner.stream": [
    { create: 3 },
    (desk) => () =>
      withRunner(desk, async (runner) => {
        const rows = await runner.stream(
          "insert into basket (label) select 'streamed ' || n from generate_series(1, 3) n returning id",
        );
        let read = 0;
        for await (const _ of rows) read++;
        return read;
      }),
  ],
  "a client from the pool": [
    { create: 1, update: 1 },
    (desk) => () =>
      withClient(desk, async (client) => {
        const name = unique("pooled");
        await client.query("insert into tag (name) values ($1)", [name]);
        await client.query({ name: "prepared", text: "update tag set color = 'blue' where name = $1", values: [name] });
      }),
  ],
  "a client with callbacks": [
    { create: 1 },
    (desk) => () =>
      withClient(
        desk,
        (client) =>
          new Promise<void>((resolve, reject) => {
            client.query("insert into tag (name) values ($1)", [unique("called back")], (error) =>
              error ? reject(error) : resolve(),
            );
          }),
      ),
  ],
  "PREPARE and EXECUTE": [
    { create: 1 },
    (desk) => () =>
      withClient(desk, async (client) => {
        await client.query("prepare tagging (text) as insert into tag (name) values ($1)");
        await client.query(`execute tagging ('${unique("executed")}')`);
        await client.query("deallocate tagging");
      }),
  ],
  COPY: [
    { create: 3 },
    (desk) => () =>
      withClient(desk, (client) =>
        pipeline(
          Readable.from(["a", "b", "c"].map((name) => `${unique(name)}\tred\n`)),
          client.query(copyFrom("copy tag (name, color) from stdin")),
        ),
      ),
  ],
  MERGE: [
    { create: 1, update: 1, destroy: 1 },
    async ({ manager }) => {
      const [changed, gone, made] = [unique("merged"), unique("gone"), unique("made")];
      await manager.insert(Tag, [{ name: changed }, { name: gone }]);
      const [{ version }] = await manager.query<[{ version: number }]>(
        "select current_setting('server_version_num')::integer as version",
      );
      const source = `(values ('${changed}', 'blue'), ('${gone}', null), ('${made}', 'red')) as s (name, color)`;
      const merge = `merge into tag t using ${source} on t.name = s.name
        when matched and s.color is null then delete
        when matched then update set color = s.color
        when not matched then insert (name, color) values (s.name, s.color)`;
      // PostgreSQL 14 has no MERGE: the same by data-modifying CTEs.
      const ctes = `with s as (select * from ${source}), d as (delete from tag t using s where s.name = t.name and s.color is null),
        u as (update tag t set color = s.color from s where s.name = t.name and s.color is not null)
        insert into tag select s.name, s.color from s where not exists (select from tag t where t.name = s.name)`;
      return () => manager.query(version >= 150_000 ? merge : ctes);
    },
  ],
  "data-modifying CTEs on one table": [
    { create: 1, update: 2, destroy: 1 },
    async ({ manager }) => {
      const names = ["a", "b", "c"].map((name) => unique(name));
      await manager.insert(
        Tag,
        names.map((name) => ({ name })),
      );
      return () =>
        manager.query(
          `with gone as (delete from tag where name = $1 returning name), one as (update tag set color = 'x' where name = $2),
           two as (update tag set color = 'y' where name = $3) insert into tag select name || '!', 'z' from gone`,
          names,
        );
    },
  ],
  TRUNCATE: [
    { destroy: 3 },
    async ({ manager, oracle }) => {
      await manager.deleteAll(BasketItem);
      await manager.deleteAll(Basket);
      const basket = await manager.save(Object.assign(new Basket(), { label: "emptied" }));
      for (const quantity of [1, 2]) await manager.insert(BasketItem, { basket, quantity });
      return async () => {
        for (const table of ["basket_item", "basket"]) await oracle.noteTruncate(table);
        await manager.query("truncate basket_item, basket restart identity");
      };
    },
  ],
  "a DO block": [
    { create: 2, destroy: 1 },
    ({ manager }) =>
      () =>
        manager.query(
          `do $$ declare made text := '${unique("done")}'; begin
             insert into tag (name) values (made), (made || '2'); delete from tag where name = made; end $$`,
        ),
  ],
  "a cursor's current row": [
    { update: 1 },
    async (desk) => {
      const { id } = await savedAuthor(desk);
      return () =>
        desk.manager.transaction(async (manager) => {
          await manager.query(`declare one cursor for select * from author where id = '${id}' for update`);
          await manager.query("fetch one");
          await manager.query("update author set score = 77 where current of one");
        });
    },
  ],
  "a migration": [
    { create: 2, update: 2, destroy: 2 },
    async ({ dataSource, manager }) => {
      await manager.update(Tag, { color: "red" }, { color: "of old" });
      return async () => {
        const migrating = new DataSource({
          ...dataSource.options,
          migrations: [WritesTags1700000000000],
          synchronize: false,
        });
        await migrating.initialize();
        await migrating.runMigrations();
        await migrating.undoLastMigration();
        await migrating.destroy();
      };
    },
  ],
};
