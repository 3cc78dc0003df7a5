import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";
import { query } from "../database.js";
import { Application } from "../replay/application.js";

const lines = (columns: "with the column" | "without it") =>
  track(
    new EntitySchema<{ id: number; amount: number; doubled?: number }>({
      name: `Line ${columns}`,
      tableName: "line",
      columns: {
        id: { type: "integer", primary: true },
        amount: { type: "integer" },
        ...(columns === "with the column" && { doubled: { type: "integer", insert: false, update: false } }),
      },
    }),
  );

const idle = `create function idle() returns trigger language plpgsql as 'begin return null; end';
  create trigger idle after insert or update or delete on line for each row execute function idle()`;
const column = "doubled integer generated always as (amount * 2) virtual";
const parts = "create table line_a partition of line for values from (0) to (100)";
/** Before PostgreSQL 18 there is no such column. */
const tables = {
  "at statement level": `create table line (id integer primary key, amount integer, ${column})`,
  "at row level": `create table line (id integer primary key, amount integer, ${column}); ${idle}`,
  "with partitions, at row level": `create table line (id integer primary key, amount integer, ${column})
    partition by range (id); ${parts}; ${idle}`,
};

describe("virtual generated columns", function () {
  this.timeout(60_000);
  before(async function () {
    const [row] = await query<{ version: number }>(
      process.env["DATABASE_URL"] ?? "",
      "select current_setting('server_version_num')::integer as version",
    );
    if ((row?.version ?? 0) < 180_000) this.skip();
  });

  for (const [level, before] of Object.entries(tables))
    for (const capture of ["trigger", "subscriber"] as const)
      for (const columns of ["with the column", "without it"] as const)
        it(`have no values in the log: ${capture} capture ${level}, an entity ${columns}`, async () => {
          const line = lines(columns);
          const app = new Application({ entities: [line], capture, dataSource: { synchronize: false }, before });
          try {
            await app.start();
            const repository = app.dataSource.getRepository(line);
            await repository.save([
              { id: 1, amount: 10 },
              { id: 2, amount: 20 },
            ]);
            await app.log.bookmark("then");
            await repository.save([
              { id: 1, amount: 11 },
              { id: 2, amount: 21 },
            ]);
            await repository.remove((await repository.findBy({ id: 2 }))[0]!);
            const events = await app.events();
            expect(events.map(({ action, data, previous }) => [action, data, previous])).to.deep.equal([
              ["create", { id: 1, amount: 10 }, {}],
              ["create", { id: 2, amount: 20 }, {}],
              ["update", { amount: 11 }, { amount: 10 }],
              ["update", { amount: 21 }, { amount: 20 }],
              ["destroy", {}, { id: 2, amount: 21 }],
            ]);
            expect(await app.log.install()).to.include({ changed: false });
            expect(await app.log.verify()).to.include({ equal: true });
            await app.log.replay({ bookmark: "then" });
            expect((await app.db.query("select id, amount, doubled from line order by id")).rows).to.deep.equal([
              { id: 1, amount: 10, doubled: 20 },
              { id: 2, amount: 20, doubled: 40 },
            ]);
            // One that comes or goes changes nothing of what is recorded.
            await app.db.query("alter table line add column tripled integer generated always as (amount * 3) virtual");
            await app.db.query("insert into line (id, amount) values (3, 30)");
            await app.db.query("alter table line drop column tripled");
            expect((await app.log.status()).findings).to.deep.equal([]);
            await app.log.install();
            if (capture === "trigger") expect(await app.log.verify()).to.include({ equal: true });
          } finally {
            await app.stop();
          }
        });
});
