import { expect } from "chai";
import pg from "pg";
import { Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { query } from "../database.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Plain {
  @PrimaryColumn("integer") id!: number;
}

@Entity()
@Tracked()
class Sheet {
  @PrimaryColumn("integer", { name: "image" }) image!: number;
}

/** Every word that the log's functions hold, those in the statements that they make included. */
async function wordsOfTheLog(): Promise<string[]> {
  const application = await TrackedApplication.start([Plain]);
  try {
    const rows = await application.query(
      `select distinct w[1] as word from pg_proc, regexp_matches(prosrc, '[a-z_]+', 'g') w
       where pronamespace = 'chronicle'::regnamespace order by 1`,
    );
    const system = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "image"];
    return rows.map(({ word = "" }) => word).filter((word) => word.length < 64 && !system.includes(word));
  } finally {
    await application.stop();
  }
}

describe("columns named like anything in the SQL of the log", () => {
  let names: string[];
  before(async () => {
    names = await wordsOfTheLog();
    expect(names).to.include.members(["old", "new", "data", "previous", "ordinal", "effect", "change", "written"]);
  });

  for (const capture of ["trigger", "subscriber"] as const)
    for (const byRow of capture === "trigger" ? [false, true] : [false])
      it(`are recorded under ${capture} capture${byRow ? ", row by row" : ""}`, async () => {
        const application = await TrackedApplication.start([Sheet], {
          log: { capture },
          dataSource: { synchronize: false },
          prepare: async ({ url }) => {
            const columns = names.map((name) => `${pg.escapeIdentifier(name)} integer default 1`).join(", ");
            await query(url, `create table sheet (image integer primary key, ${columns})`);
            if (!byRow) return;
            await query(url, "create function nothing() returns trigger language plpgsql as 'begin return null; end'");
            await query(
              url,
              "create trigger nothing after insert or update on sheet for each row execute function nothing()",
            );
          },
        });
        try {
          const sheets = application.dataSource.getRepository(Sheet);
          for (const image of [1, 2, 3, 4]) await sheets.save({ image });
          await sheets.remove((await sheets.findOneBy({ image: 4 })) as Sheet);
          if (capture === "trigger") {
            await application.query("update sheet set old = 2 where image = 1");
            await application.query("update sheet set new = 2, data = 3");
            await application.query("update sheet set image = image + 10");
            await application.query(
              "with gone as (delete from sheet where image = 12) insert into sheet (image) values (7)",
            );
          }
          expect(await application.log.verify()).to.deep.include({ equal: true, checked: 3 });
          if (capture === "trigger") await application.query("truncate sheet");
          expect((await application.log.verify()).differences).to.deep.equal([]);
        } finally {
          await application.stop();
        }
      });
});
