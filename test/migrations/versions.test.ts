import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { override, type ReplayHandlers, Tracked, upcast } from "../../src/index.js";
import { Application, rejectionOf } from "../replay/application.js";

type Entities = readonly (new () => object)[];

/** A class of the table `person`, tracked as Person; all columns are text. */
function person(columns: readonly string[], version = 1): new () => object {
  class Person {}
  PrimaryColumn("integer")(Person.prototype, "id");
  for (const name of columns) Column("text", { nullable: true })(Person.prototype, name);
  Entity({ name: "person" })(Person);
  Tracked({ name: "Person", version })(Person);
  return Person;
}

describe("versions and schema changes", () => {
  let app: Application;
  afterEach(() => app.stop());

  async function start(entities: Entities): Promise<void> {
    app = new Application({ entities: [...entities] });
    await app.start();
  }

  /** The next release: its DDL, then its code, installed. */
  async function release(entities: Entities, ddl: string, replay?: ReplayHandlers, between?: string): Promise<void> {
    await app.sql(ddl);
    if (between !== undefined) await app.sql(between);
    const opened = await app.open({ entities: [...entities], ...(replay && { replay }) });
    await opened.log.install();
    await app.dataSource.destroy();
    Object.assign(app, opened);
  }

  /** The tables as they were, in today's shape. */
  async function past(bookmark: string): Promise<unknown[]> {
    const shadow = await app.log.shadow({ bookmark });
    try {
      const rows: { row: object }[] = await shadow.manager.query(
        `select to_jsonb(t) as row from "${shadow.schema}".person t order by id`,
      );
      return rows.map(({ row }) => row);
    } finally {
      await shadow.drop();
    }
  }

  const split = ({ name, ...rest }: Record<string, unknown>) =>
    typeof name === "string" ? { ...rest, first: name.split(" ")[0], last: name.split(" ")[1] } : rest;
  const splitting: ReplayHandlers = {
    upcasters: [upcast("Person", "create", { from: 1 }, split), upcast("Person", "update", { from: 1 }, split)],
  };
  const splitDdl = `alter table person
    add column first text generated always as (split_part(name, ' ', 1)) stored,
    add column last text generated always as (split_part(name, ' ', 2)) stored;
    alter table person alter column first drop expression, alter column last drop expression, drop column name`;

  it("give an upcaster the last shape before its release, and do later changes to what it made", async () => {
    await start([person(["label", "note"])]);
    await app.sql("insert into person values (1, 'Ada King', 'a')");
    await app.log.bookmark("one");
    // Release 2 renames, which raises no version; release 3 splits, and its upcaster knows "name"; release 4 renames again.
    await release([person(["name", "note"])], "alter table person rename label to name");
    await app.sql("update person set note = 'b'");
    await release([person(["first", "last", "note"], 2)], splitDdl, splitting);
    await release(
      [person(["given", "last", "remark"], 2)],
      "alter table person rename first to given; alter table person rename note to remark",
      splitting,
    );
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ updated: 0, kept: 1 });
    expect(await past("one")).to.deep.equal([{ id: 1, given: "Ada", last: "King", remark: "a" }]);
  });

  it("rename or leave out a key that an upcaster kept, if the install that raised the version knows it", async () => {
    await start([person(["name", "note", "old"])]);
    await app.sql("insert into person values (1, 'Ada King', 'a', 'gone')");
    await app.log.bookmark("one");
    const ddl = `${splitDdl}; alter table person rename note to remark; alter table person drop column old`;
    await release([person(["first", "last", "remark"], 2)], ddl, splitting);
    expect(await app.log.verify()).to.include({ equal: true });
    expect(await past("one")).to.deep.equal([{ id: 1, first: "Ada", last: "King", remark: "a" }]);
  });

  it("skip the handlers of an event that was written between the DDL and the install, also if it fills both", async () => {
    await start([person(["name"])]);
    await app.sql("insert into person values (1, 'Ada King')");
    await app.log.bookmark("one");
    const refusing: ReplayHandlers = {
      upcasters: [
        upcast("Person", "create", { from: 1 }, split),
        upcast("Person", "update", { from: 1 }, (row) => {
          if (typeof row["name"] !== "string") throw new Error("an update without a name");
          return split(row);
        }),
      ],
    };
    await release(
      [person(["first", "last"], 2)],
      `alter table person add column first text, add column last text;
       update person set first = split_part(name, ' ', 1), last = split_part(name, ' ', 2);
       insert into person (id, name, first, last) values (2, 'Alan Turing', 'Alan', 'Turing');
       alter table person drop column name`,
      refusing,
    );
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ updated: 0, kept: 2 });
    expect(await past("one")).to.deep.equal([{ id: 1, first: "Ada", last: "King" }]);
  });

  it("let an override speak the columns of its release, in reading and writing, after they were renamed", async () => {
    await start([person(["name", "note"])]);
    await app.sql("insert into person values (1, 'Ada', 'a'), (2, 'Alan', 'b')");
    await app.sql("update person set name = 'Augusta' where id = 1");
    const read: unknown[] = [];
    const overriding: ReplayHandlers = {
      overrides: [
        override("Person", "update", { versions: [1] }, async ({ data, recordId }, state) => {
          const other = await state.find<{ label: string }>("Person", 2);
          read.push([data, other?.label]);
          await state.update("Person", recordId, { label: `${String(data["name"])} & ${other?.label}` });
        }),
      ],
      upcasters: [upcast("Person", "create", { from: 1 }, ({ name, ...rest }) => ({ ...rest, label: name }))],
    };
    await release([person(["label", "note"], 2)], "alter table person rename name to label", overriding);
    await release([person(["title", "note"], 2)], "alter table person rename label to title", overriding);
    await app.log.replay();
    expect(read.at(-1)).to.deep.equal([{ name: "Augusta" }, "Alan"]);
    expect(await app.sql("select title from person order by id")).to.deep.equal([
      { title: "Augusta & Alan" },
      { title: "Alan" },
    ]);
  });

  it("take from a version that is raised later what values become that a migration of before did not meet", async () => {
    const text = person(["age"]);
    const years = (version: number) => {
      class Person {}
      PrimaryColumn("integer")(Person.prototype, "id");
      Column("integer", { nullable: true })(Person.prototype, "age");
      Entity({ name: "person" })(Person);
      Tracked({ name: "Person", version })(Person);
      return Person;
    };
    await start([text]);
    await app.sql("insert into person values (1, '35 years'), (2, '20 years')");
    await app.log.bookmark("first");
    await app.sql("update person set age = '36 years' where id = 1; delete from person where id = 2");
    await release(
      [years(1)],
      "alter table person alter column age type integer using substring(age from '[0-9]+')::integer",
    );
    expect(await rejectionOf(app.log.shadow({ bookmark: "first" }))).to.include({ code: "VALUE_NOT_CASTABLE" });
    const parsed = ({ age, ...rest }: Record<string, unknown>) =>
      typeof age === "string" ? { ...rest, age: Number.parseInt(age, 10) } : rest;
    await release([years(2)], "select 1", {
      upcasters: [upcast("Person", "create", { from: 1 }, parsed), upcast("Person", "update", { from: 1 }, parsed)],
    });
    expect(await past("first")).to.deep.equal([
      { id: 1, age: 35 },
      { id: 2, age: 20 },
    ]);
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ inserted: 0, updated: 0, deleted: 0 });
  });

  it("refuse a value without a place, with record, column, position and version, before anything is written", async () => {
    await start([person(["name"])]);
    await app.sql("insert into person values (1, 'Ada')");
    await app.sql(`alter table chronicle.event disable trigger user;
      update chronicle.event set data = data || '{"shoe": 37}'; alter table chronicle.event enable trigger user`);
    for (const call of [() => app.log.verify(), () => app.log.replay(), () => app.log.shadow()]) {
      const error = await rejectionOf(call());
      expect(error).to.include({ code: "COLUMN_WITHOUT_PLACE" });
      expect(error.details).to.include({ entity: "Person", recordKey: "1", column: "shoe", version: 1 });
    }
  });
});
