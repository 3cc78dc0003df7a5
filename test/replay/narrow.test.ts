import { expect } from "chai";
import { Column, Entity, JoinTable, ManyToMany, ManyToOne, PrimaryColumn, type Relation } from "typeorm";
import { override, Tracked, withRequestContext } from "../../src/index.js";
import { application, expectEqual, rejectionOf } from "./application.js";
import { upgradedApplication } from "./upgrade.js";

@Entity()
@Tracked({ tenant: "org" })
class Project {
  @PrimaryColumn("integer") id!: number;
  @Column("text") org!: string;
  @Column("text") name!: string;
  @ManyToMany(() => Label) @JoinTable() labels!: Relation<Label>[];
}

/** No column says whose it is; the request context does. */
@Entity()
@Tracked()
class Task {
  @PrimaryColumn("integer") id!: number;
  @Column("text") title!: string;
  @ManyToOne(() => Project, { onDelete: "CASCADE" }) project!: Relation<Project> | null;
}

@Entity()
@Tracked()
class Label {
  @PrimaryColumn("text") name!: string;
}

describe("replay of some entities", function () {
  this.timeout(30_000);
  const app = application({ entities: [Project, Task, Label] });

  it("leaves the others as they are, and takes junction tables with their owner", async () => {
    const [projects, labels] = [app.dataSource.getRepository(Project), app.dataSource.getRepository(Label)];
    const [red] = await labels.save([{ name: "red" }, { name: "blue" }]);
    await projects.save({ id: 1, org: "a", name: "one", labels: [red as Label] });
    const { bookmark } = await app.moment();
    await projects.save({ id: 1, name: "changed", labels: [] });
    await labels.save({ name: "green" });
    const report = await app.log.replay({ bookmark }, { entities: [Project] });
    expect(report).to.include({ recorded: 2, events: 2 });
    expect(await projects.find({ relations: { labels: true } })).to.deep.equal([
      { id: 1, org: "a", name: "one", labels: [{ name: "red" }] },
    ]);
    expect(await labels.count()).to.equal(3);
    await expectEqual(app, "after a replay of some");
  });

  it("mends these alone", async () => {
    await app.sql("insert into label values ('red'); insert into project values (1, 'a', 'one')");
    await app.spoil("delete from label", "update project set name = 'spoilt'");
    expect(await app.log.replay(undefined, { entities: ["Label"] })).to.include({ drift: 1 });
    expect((await app.log.verify()).differences.map(({ entity }) => entity)).to.deep.equal(["Project"]);
  });

  it("is refused where a row outside refers to one that would go", async () => {
    await app.sql("insert into label values ('blue')");
    const { bookmark } = await app.moment();
    await app.sql("insert into label values ('red')");
    await app.sql("create table sticker (label text references label); insert into sticker values ('red')");
    const rows = await app.rows();
    const error = await rejectionOf(app.log.replay({ bookmark }, { entities: [Label] }));
    expect(error).to.include({ code: "REPLAY_BLOCKED_BY_REFERENCES" });
    expect(error.details).to.include({ table: "sticker" });
    const foreseen = await rejectionOf(app.log.replay({ bookmark }, { entities: [Label], dryRun: true }));
    expect(foreseen).to.include({ code: error.code, message: error.message });
    expect(foreseen.details).to.deep.equal(error.details);
    expect(await app.rows()).to.deep.equal(rows);
    await app.sql("drop table sticker");
  });

  it("is refused, by a dry run too, where a row that comes back refers to one outside which is gone", async () => {
    await app.sql("insert into project values (1, 'a', 'one'); insert into task values (1, 'due', 1)");
    const { bookmark } = await app.moment();
    await app.sql("delete from task; delete from project");
    const rows = await app.rows();
    const errors = [];
    for (const dryRun of [true, false])
      errors.push(await rejectionOf(app.log.replay({ bookmark }, { entities: [Task], dryRun })));
    for (const error of errors) {
      expect(error).to.include({ code: "REPLAY_BLOCKED_BY_REFERENCES" });
      expect(error.details).to.deep.equal(errors[1]?.details).and.to.include({ table: "task" });
    }
    expect(await app.rows()).to.deep.equal(rows);
    expect((await app.log.replay({ bookmark }, { dryRun: true })).rows).to.include({ inserted: 2 });
  });

  it("goes on, and so does a dry run, where a foreign key's action takes the rows outside along", async () => {
    for (const action of ["cascade", "set null"]) {
      const { bookmark } = await app.moment();
      await app.sql("insert into label values ('red'), ('blue')");
      await app.sql(
        `create table sticker (label text references label on delete ${action}); insert into sticker values ('red'), (null)`,
      );
      const { rows } = await app.log.replay({ bookmark }, { entities: [Label], dryRun: true });
      expect(rows).to.include({ deleted: 2 });
      expect((await app.log.replay({ bookmark }, { entities: [Label] })).rows).to.deep.equal(rows);
      expect(await app.sql("select label from sticker")).to.have.length(action === "cascade" ? 1 : 2);
      await app.sql("drop table sticker");
    }
  });

  it("records what a foreign key's action does to rows outside, so that the log stays true", async () => {
    await app.sql("insert into label values ('blue')");
    const { bookmark } = await app.moment();
    await app.sql("insert into project values (1, 'a', 'one'); insert into task values (1, 'due', 1)");
    await app.log.replay({ bookmark }, { entities: [Project] });
    expect(await app.sql("select from task")).to.have.length(0);
    expect((await app.events({ entity: Task })).map(({ action }) => action)).to.deep.equal(["create", "destroy"]);
    await expectEqual(app, "after the cascade");
  });

  it("is refused for what is not tracked, and for a name that is none", async () => {
    expect(await rejectionOf(app.log.replay(undefined, { entities: ["Nothing"] }))).to.include({ code: "NOT_TRACKED" });
  });
});

describe("replay of one tenant", function () {
  this.timeout(30_000);
  const app = application({ entities: [Project, Task, Label] });
  const as = <T>(tenant: string, work: () => Promise<T>) => withRequestContext({ tenant }, work);
  const insert = (id: number, org: string) =>
    as(org, async () => {
      await app.dataSource.getRepository(Project).insert({ id, org, name: `${org}${id}` });
      await app.dataSource.getRepository(Task).insert({ id, title: `${org}${id}`, project: { id } });
    });
  const titles = () =>
    app.sql(
      "select (select array_agg(name order by id) from project) as projects, (select array_agg(title order by id) from task) as tasks",
    );

  it("brings its records to a point in time, by its column or the context, and leaves the others' as they are", async () => {
    await insert(1, "a");
    await insert(2, "b");
    const { bookmark } = await app.moment();
    await as("a", () => app.dataSource.getRepository(Task).update(1, { title: "changed by a" }));
    await as("b", () => app.dataSource.getRepository(Task).update(2, { title: "changed by b" }));
    await app.sql("update project set name = 'changed by no one'");
    await insert(3, "a");
    await insert(4, "b");
    const report = await app.log.replay({ bookmark }, { tenant: "a" });
    expect(report.rows).to.deep.equal({ inserted: 0, updated: 2, deleted: 2, kept: 0 });
    expect(report).to.include({ recorded: 4, drift: 0, events: 2 });
    expect(await titles()).to.deep.equal([
      { projects: ["a1", "changed by no one", "b4"], tasks: ["a1", "changed by b", "b4"] },
    ]);
    await expectEqual(app, "after a replay of one tenant");
    expect((await app.events({ origin: "rewind" })).map(({ entity, action }) => `${entity} ${action}`)).to.have.members(
      ["Project update", "Project destroy", "Task update", "Task destroy"],
    );
  });

  it("mends its rows alone, and knows which unknown rows are its own", async () => {
    await insert(1, "a");
    await insert(2, "b");
    await app.spoil(
      "update project set name = 'spoilt'",
      "insert into project values (8, 'a', 'unknown of a'), (9, 'b', 'unknown of b')",
    );
    const error = await rejectionOf(app.log.replay(undefined, { tenant: "a" }));
    expect(error.details).to.deep.equal({ unknown: [{ entity: "Project", rows: 1 }] });
    await app.log.replay(undefined, { tenant: "a", unknownRows: "delete" });
    expect(await app.sql("select id, name from project order by id")).to.deep.equal([
      { id: 1, name: "a1" },
      { id: 2, name: "spoilt" },
      { id: 9, name: "unknown of b" },
    ]);
  });

  it("takes no row of another tenant for its own, whatever its column was spoilt to", async () => {
    await insert(1, "a");
    await insert(2, "b");
    await app.spoil("update project set org = 'a' where id = 2");
    expect(await app.log.replay(undefined, { tenant: "a", unknownRows: "delete" })).to.include({ drift: 0 });
    expect(await app.sql("select from project")).to.have.length(2);
  });

  it("is refused where a record went from one tenant to another, or was written by both", async () => {
    await insert(1, "a");
    await app.sql("update project set org = 'b' where id = 1");
    const error = await rejectionOf(app.log.replay(undefined, { tenant: "b" }));
    expect(error).to.include({ code: "REPLAY_CROSSES_TENANT" });
    expect(error.details).to.deep.equal({ entity: "Project", records: 1, first: "1" });
    expect(await app.log.replay(undefined, { tenant: "a", entities: [Task] })).to.include({ drift: 0 });
  });

  it("is refused where a foreign key's action would reach another tenant's rows", async () => {
    await insert(2, "b");
    const { bookmark } = await app.moment();
    await insert(1, "a");
    await as("b", () => app.dataSource.getRepository(Task).insert({ id: 7, title: "b in a's", project: { id: 1 } }));
    const rows = await app.rows();
    expect(await rejectionOf(app.log.replay({ bookmark }, { tenant: "a" }))).to.include({
      code: "REPLAY_CROSSES_TENANT",
    });
    expect(await app.rows()).to.deep.equal(rows);
    await expectEqual(app, "after a refused replay");
  });
});

@Entity({ name: "project" })
@Tracked({ name: "Project", tenant: "org", version: 2 })
class ProjectV2 {
  @PrimaryColumn("integer") id!: number;
  @Column("text") org!: string;
  @Column("text") name!: string;
}

@Entity({ name: "label" })
@Tracked({ name: "Label" })
class LabelV2 {
  @PrimaryColumn("text") name!: string;
}

describe("replay of a part and overrides", function () {
  this.timeout(30_000);
  const app = upgradedApplication(
    { entities: [Project, Label, Task] },
    {
      write: ({ dataSource }) =>
        dataSource.getRepository(Project).insert([
          { id: 1, org: "a", name: "one" },
          { id: 2, org: "b", name: "two" },
        ]),
      migrate: "drop table task; drop table project_labels_label",
      now: {
        entities: [ProjectV2, LabelV2],
        replay: {
          overrides: [
            override<{ id: number; name: string; org: string }>(
              "Project",
              "create",
              { versions: [1] },
              async ({ data }, state) => {
                await state.create(ProjectV2, data);
                await state.create(LabelV2, { name: data.name });
              },
            ),
          ],
        },
      },
    },
  );

  it("is refused where one of two entities, tied by an override, is left out", async () => {
    for (const entities of [[ProjectV2], [LabelV2]]) {
      expect(await rejectionOf(app.log.replay(undefined, { entities }))).to.include({
        code: "REPLAY_CROSSES_ENTITIES",
      });
    }
    expect((await app.log.replay(undefined, { entities: [ProjectV2, LabelV2] })).rows).to.include({ inserted: 2 });
  });

  it("keeps to one tenant where its overrides do, and is refused where they do not", async () => {
    await app.spoil("delete from label");
    expect((await app.log.replay(undefined, { tenant: "a" })).rows).to.include({ inserted: 1 });
    expect(await app.sql("select name from label")).to.deep.equal([{ name: "one" }]);
    const { log } = await app.open({
      ...app.setting,
      entities: [ProjectV2, LabelV2],
      replay: {
        overrides: [
          override<{ id: number; name: string }>("Project", "create", { versions: [1] }, async ({ data }, state) => {
            await state.create(ProjectV2, { ...data, org: "a" });
          }),
        ],
      },
    });
    expect(await rejectionOf(log.replay(undefined, { tenant: "a" }))).to.include({ code: "REPLAY_CROSSES_TENANT" });
  });
});
