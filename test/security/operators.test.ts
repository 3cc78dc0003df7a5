import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";
import { Application } from "../replay/application.js";

/** Types of key columns: those that have no operator of their own, those that have one, and what is made of them. */
const keys = {
  varchar: { type: "character varying(20)", value: "one" },
  char: { type: "character(5)", value: "one" },
  text: { type: "text", value: "one" },
  integer: { type: "integer", value: 1 },
  numeric: { type: "numeric(8,2)", value: "1.50" },
  uuid: { type: "uuid", value: "00000000-0000-4000-8000-000000000001" },
  enum: { type: "mood", value: "good" },
  "a domain over varchar": { type: "name_of", value: "one" },
  "a domain over an enum": { type: "mood_of", value: "good" },
} as const;

describe("an operator that somebody else made", () => {
  for (const [name, { type, value }] of Object.entries(keys)) {
    it(`never compares keys as the log's owner: ${name}`, async () => {
      const schema = new EntitySchema<{ id: unknown; label: string | null }>({
        name: "Thing",
        tableName: "thing",
        columns: { id: { type: "text", primary: true }, label: { type: "text", nullable: true } },
      });
      track(schema);
      const app = new Application({
        entities: [schema],
        capture: "subscriber",
        dataSource: { synchronize: false },
        before: `create type mood as enum ('good', 'bad');
          create domain name_of as character varying(20);
          create domain mood_of as mood;
          create table thing (id ${type} primary key, label text);
          create table called (path text);
          create function same(${type}, ${type}) returns boolean language plpgsql as $$
            begin insert into public.called values (current_setting('search_path')); return true; end $$;
          create operator public.= (leftarg = ${type}, rightarg = ${type}, function = same)`,
      });
      try {
        await app.start();
        const calls = () => app.sql<{ path: string }>("select path from called");
        await app.sql(`select '${value}'::${type} operator(public.=) '${value}'::${type}`);
        expect(await calls(), "the double can be called").to.have.length(1);
        const things = app.dataSource.getRepository(schema);
        await things.save({ id: value, label: "new" });
        for (const thing of await things.find()) {
          await things.save({ ...thing, label: "changed" });
          await things.remove({ ...thing });
        }
        const actions: string[] = [];
        for await (const { action } of app.log.events()) actions.push(action);
        expect(actions).to.deep.equal(["create", "update", "destroy"]);
        // By the session's own search_path TypeORM's conditions find it; what the log does has another.
        expect((await calls()).filter(({ path }) => path.startsWith("pg_catalog"))).to.deep.equal([]);
      } finally {
        await app.stop();
      }
    });
  }
});
