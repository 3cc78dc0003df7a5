import { expect } from "chai";
import {
  ChildEntity,
  Column,
  type DataSource,
  type DataSourceOptions,
  Entity,
  EntitySchema,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
} from "typeorm";
import { trackedTables } from "../../src/log/tracked-tables.js";
import { Sensitive, track, Tracked, withRequestContext } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application, expectEqual, rejectionOf } from "../replay/application.js";
import { newDataSource } from "../tracked-application.js";

class Address {
  @Column("text", { nullable: true }) street!: string | null;
  @Column("text", { nullable: true }) @Sensitive() phone!: string | null;
}

@Entity()
@Tracked({ tenant: "company" })
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text", { nullable: true }) company!: string | null;
  @Column("text") name!: string;
  @Column("text", { name: "tax_number", nullable: true }) @Sensitive() taxNumber!: string | null;
  @Column("text") @Sensitive({ erased: "[erased]" }) email!: string;
  @Column("jsonb", { default: {} }) @Sensitive({ erased: { gone: [1, null] } }) profile!: object;
  @Column("numeric", { nullable: true, select: false }) salary!: string | null;
  @Column(() => Address) home!: Address;
  @Column(() => Address) @Sensitive() second!: Address;
}

@Entity()
@Tracked()
class Pledge {
  @PrimaryColumn("uuid") campaign!: string;
  @PrimaryColumn("integer") number!: number;
  @Column("text") @Sensitive() donor!: string;
  @Column("text", { unique: true }) @Sensitive({ erased: "nobody" }) code!: string;
}

@Entity()
@TableInheritance({ column: { type: "text", name: "kind" } })
@Tracked()
class Patient {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

@ChildEntity()
class InPatient extends Patient {
  @Column("text", { nullable: true }) @Sensitive() diagnosis!: string | null;
}

@Entity()
@Tracked()
class Plain {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

const secrets = ["DE-4711-canary", "canary@example.org", "canary-hobby", "987654.321", "canary-phone", "canary-street"];

function canary(): Partial<Person> {
  const [taxNumber = "", email = "", hobby = "", salary = "", phone = "", street = ""] = secrets;
  return {
    company: "acme",
    name: "Ada",
    taxNumber,
    email,
    profile: { hobby },
    salary,
    home: { street: "shown", phone },
    second: { street, phone },
  };
}

describe("erase", () => {
  const app = application({ entities: [Person, Pledge, Patient, InPatient, Plain] });
  const people = () => app.dataSource.getRepository(Person);
  const everything = async () =>
    JSON.stringify(
      await app.sql(
        `select to_jsonb(t.*)::text as row from person t union all select to_jsonb(t.*)::text from pledge t
         union all select to_jsonb(t.*)::text from patient t
         union all select to_jsonb(t.*)::text from chronicle.event t union all select to_jsonb(t.*)::text from chronicle.event_sensitive t`,
      ),
    );

  it("takes the values out of the log and out of the row, and says who did it", async () => {
    const { id } = await people().save(canary());
    const bookmark = { bookmark: (await app.log.bookmark("before")).name };
    await people().update({ id }, { email: "second-canary@example.org", name: "Ada L." });
    for (const secret of secrets) expect(await everything()).to.include(secret);

    const { erased } = await withRequestContext(
      { actor: { type: "user", id: "7" }, actionName: "privacy.request", metadata: { ticket: 12 } },
      () => app.log.erase(Person, id),
    );

    expect(erased).to.equal(2);
    for (const secret of [...secrets, "second-canary"]) expect(await everything()).to.not.include(secret);
    const event = (await app.log.history(Person, id)).at(-1);
    expect(event).to.deep.include({
      action: "update",
      actionName: "privacy.request",
      origin: "erase",
      data: {},
      previous: {},
      tenant: "acme",
    });
    expect(event?.actor).to.deep.equal({ type: "user", id: "7", name: null });
    expect(event?.metadata).to.deep.equal({
      ticket: 12,
      erase: {
        columns: ["tax_number", "email", "profile", "salary", "homePhone", "secondStreet", "secondPhone"],
      },
    });
    const now = await people().createQueryBuilder("p").addSelect("p.salary").where({ id }).getOneOrFail();
    const gone = { taxNumber: null, email: "[erased]", profile: { gone: [1, null] }, salary: null };
    expect(now).to.deep.include({ ...gone, name: "Ada L.", home: { street: "shown", phone: null } });
    expect(await app.log.at(Person, id, bookmark, { sensitive: true })).to.deep.include({ ...gone, name: "Ada" });
    await expectEqual(app, "after the erasure");

    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
    await app.log.replay(bookmark);
    expect(await people().findOneByOrFail({ id })).to.deep.include({ name: "Ada", email: "[erased]", taxNumber: null });
    await expectEqual(app, "after a replay to before the erasure");
    for (const secret of secrets) expect(await everything()).to.not.include(secret);
  });

  it("leaves other records, and other columns, alone", async () => {
    const [one, other] = await people().save([canary(), canary()]);
    const { erased } = await app.log.erase(Person, one?.id ?? 0, { columns: ["taxNumber", "homePhone"] });
    expect(erased).to.equal(1);
    const salary = (id: number | undefined) =>
      app.sql(`select tax_number, salary, "homePhone" from person where id = $1`, [id]);
    expect(await salary(one?.id)).to.deep.equal([{ tax_number: null, salary: "987654.321", homePhone: null }]);
    expect(await salary(other?.id)).to.deep.equal([
      { tax_number: "DE-4711-canary", salary: "987654.321", homePhone: "canary-phone" },
    ]);
    const rows = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
  });

  it("is recorded also where the row has the values no more, and where the record is gone", async () => {
    const { id } = await people().save(canary());
    await people().update({ id }, { taxNumber: null });
    expect(await app.log.erase(Person, id, { columns: ["taxNumber"] })).to.deep.equal({ erased: 2 });
    expect((await app.log.history(Person, id)).at(-1)?.origin).to.equal("erase");
    expect(await everything()).to.not.include("DE-4711");
    await people().delete({ id });
    expect(await everything()).to.include("canary@example.org");
    expect(await app.log.erase(Person, id)).to.deep.equal({ erased: 2 });
    expect((await app.log.history(Person, id)).at(-1)).to.deep.include({ origin: "erase", tenant: "acme" });
    for (const secret of secrets) expect(await everything()).to.not.include(secret);
    await app.dataSource.getRepository(Plain).save({ name: "so that there is a row" });
    const rows = await app.rows();
    expect((await app.log.replay()).drift).to.equal(0);
    expectSameRows(await app.rows(), rows);
    await expectEqual(app, "in the end");
  });

  it("goes on after it: new values are recorded, shown by verify as they are, and erased again", async () => {
    const { id } = await people().save(canary());
    await app.log.erase(Person, id);
    await people().update({ id }, { taxNumber: "new-1" });
    await app.spoil(`update person set tax_number = 'spoilt', email = 'restored@example.org' where id = ${id}`);
    expect((await app.log.verify()).counts).to.deep.equal({ missing: 0, unexpected: 0, different: 1, erased: 0 });
    await app.spoil(`update person set tax_number = 'new-1' where id = ${id}`);
    const report = await app.log.verify();
    expect(report.counts).to.deep.equal({ missing: 0, unexpected: 0, different: 0, erased: 1 });
    expect(report.differences).to.deep.equal([
      { entity: "Person", recordId: { id }, kind: "erased", columns: ["email"] },
    ]);
    expect(report.equal).to.equal(true);
    await app.log.replay();
    expect(await people().findOneByOrFail({ id })).to.deep.include({ taxNumber: "new-1", email: "[erased]" });
    expect(await app.log.erase(Person, id)).to.deep.equal({ erased: 1 });
    expect(await everything()).to.not.include("new-1");
    await expectEqual(app, "in the end");
  });

  it("refuses what is not sensitive, not known, or may not be null, and changes nothing", async () => {
    const pledges = app.dataSource.getRepository(Pledge);
    const id = { campaign: "0a0f0000-0000-4000-8000-00000000000a", number: 1 };
    await pledges.insert({ ...id, donor: "canary", code: "a" });
    await people().save(canary());
    const before = await everything();
    for (const [columns, entity, key] of [
      [["name"], Person, 1],
      [["taxNumber", "id"], Person, 1],
      [["no_such_column"], Person, 1],
      [["donor"], Pledge, id],
      [undefined, Pledge, id],
      [undefined, Plain, 1],
      [[], Person, 1],
    ] as const) {
      expect(await rejectionOf(app.log.erase(entity, key, { columns }))).to.include({ code: "ERASE_REFUSED" });
    }
    expect(await everything()).to.equal(before);
    expect(await app.log.erase(Pledge, id, { columns: ["code"] })).to.deep.equal({ erased: 1 });
    await pledges.insert({ ...id, number: 2, donor: "canary", code: "b" });
    const error = await rejectionOf(app.log.erase(Pledge, { ...id, number: 2 }, { columns: ["code"] }));
    expect(error).to.include({ code: "ERASE_REFUSED" });
    expect(error.cause).to.equal(undefined);
  });

  it("finds nothing to erase of a record that never was", async () => {
    expect(await app.log.erase(Person, 4711)).to.deep.equal({ erased: 0 });
    expect(await app.events()).to.deep.equal([]);
  });

  it("knows the sensitive columns of children under single-table inheritance", async () => {
    const { id } = await app.dataSource.getRepository(InPatient).save({ name: "Bo", diagnosis: "canary" });
    expect(await app.log.erase(InPatient, id)).to.deep.equal({ erased: 1 });
    expect((await app.log.history(InPatient, id)).map(({ entity, origin }) => [entity, origin])).to.deep.equal([
      ["InPatient", "capture"],
      ["InPatient", "erase"],
    ]);
    expect(await everything()).to.not.include("canary");
    await app.dataSource.getRepository(InPatient).delete({ id });
    await app.log.erase(Patient, id);
    expect((await app.log.history(InPatient, id)).at(-1)?.entity).to.equal("InPatient");
  });

  it("erases what was recorded before the column was sensitive", async () => {
    const { id } = await app.dataSource.getRepository(Plain).save({ name: "canary" });
    @Entity({ name: "plain" })
    @Tracked({ name: "Plain" })
    class Later {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") @Sensitive({ erased: "-" }) name!: string;
    }
    const { log } = await app.open({ entities: [Person, Pledge, Patient, InPatient, Later] });
    await log.install();
    expect(JSON.stringify(await app.sql("select * from chronicle.event"))).to.include("canary");
    expect(await log.erase(Later, id)).to.deep.equal({ erased: 1 });
    expect(JSON.stringify(await app.sql("select * from chronicle.event"))).to.not.include("canary");
    expect(await app.sql("select data from chronicle.event where action = 'create'")).to.deep.equal([
      { data: { id, name: "-" } },
    ]);
    await expectEqual({ log }, "after the erasure");
    await app.log.install();
  });

  it("leaves the log append-only for everyone else", async () => {
    const { id } = await people().save(canary());
    await app.log.erase(Person, id, { columns: ["taxNumber"] });
    for (const statement of [
      "update chronicle.event set data = '{}'",
      "delete from chronicle.event",
      "truncate chronicle.event",
      "update chronicle.event_sensitive set data = '{}'",
      "delete from chronicle.event_sensitive",
      "truncate chronicle.event_sensitive",
    ]) {
      expect(await rejectionOf(app.sql(statement)), statement).to.include({ code: "CH004" });
      expect(await rejectionOf(app.sql(`set chronicle.erasing = '${id}'; ${statement}`)), statement).to.include({
        code: "CH004",
      });
    }
  });
});

describe("a sensitive column that is renamed", () => {
  @Entity({ name: "client" })
  @Tracked({ name: "Client" })
  class Before {
    @PrimaryGeneratedColumn() id!: number;
    @Column("text", { nullable: true }) @Sensitive() ssn!: string | null;
    @Column("text", { nullable: true }) note!: string | null;
  }
  @Entity({ name: "client" })
  @Tracked({ name: "Client" })
  class After {
    @PrimaryGeneratedColumn() id!: number;
    @Column("text", { name: "social_security", nullable: true }) @Sensitive() socialSecurity!: string | null;
    @Column("text", { name: "remark", nullable: true }) note!: string | null;
  }
  const app = application({ entities: [Before] });

  it("stays hidden until the next install, and is erased under both names", async () => {
    const { id } = await app.dataSource.getRepository(Before).save({ ssn: "canary-1", note: "shown-1" });
    await app.sql("alter table client rename ssn to social_security");
    await app.sql("alter table client rename note to remark");
    await app.sql("update client set social_security = 'canary-2', remark = 'hidden-until-install'");
    const { dataSource, log } = await app.open({ entities: [After] });
    const shown = async () => JSON.stringify(await app.sql("select data, previous from chronicle.event"));
    expect(await shown()).to.include("shown-1");
    expect(await shown()).to.not.match(/canary|hidden-until-install/);
    await log.install();
    await dataSource.getRepository(After).update({ id }, { note: "shown-2", socialSecurity: "canary-3" });
    expect(await shown()).to.include("shown-2");
    expect(await shown()).to.not.include("canary");
    expect(await log.erase(After, id)).to.deep.equal({ erased: 3 });
    const hidden = JSON.stringify(await app.sql("select * from chronicle.event_sensitive"));
    expect(hidden).to.not.include("canary");
    expect(hidden, "what was hidden by mistake only").to.include("hidden-until-install");
  });
});

describe("what is sensitive", () => {
  it("is what refers to a sensitive column, a marked relation, and what an EntitySchema does not select", async () => {
    @Entity()
    @Tracked()
    class Owner {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { unique: true }) @Sensitive() code!: string;
    }
    @Entity()
    @Tracked()
    class Pet {
      @PrimaryGeneratedColumn() id!: number;
      @ManyToOne(() => Owner) @JoinColumn({ referencedColumnName: "code" }) owner!: Relation<Owner>;
      @ManyToOne(() => Owner) @Sensitive() vet!: Relation<Owner>;
      @ManyToOne(() => Owner) sitter!: Relation<Owner>;
    }
    const Chip = track(
      new EntitySchema<{ id: number; serial: string; name: string }>({
        name: "Chip",
        columns: {
          id: { type: Number, primary: true, generated: true },
          serial: { type: "text", select: false },
          name: { type: "text" },
        },
      }),
    );
    const tables = trackedTables(await withMetadata([Owner, Pet, Chip]));
    expect(
      Object.fromEntries(
        tables.map(({ entity, sensitiveColumns, plainColumns }) => [
          entity,
          [[...sensitiveColumns.keys()], plainColumns],
        ]),
      ),
    ).to.deep.equal({
      Owner: [["code"], ["id"]],
      Pet: [
        ["ownerCode", "vetId"],
        ["id", "sitterId"],
      ],
      Chip: [["serial"], ["id", "name"]],
    });
  });

  it("cannot be a key, nor the key of a junction table", async () => {
    @Entity()
    @Tracked()
    class Tag {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { unique: true }) @Sensitive() name!: string;
    }
    @Entity()
    @Tracked()
    class Post {
      @PrimaryGeneratedColumn() id!: number;
      @ManyToMany(() => Tag)
      @JoinTable({ inverseJoinColumn: { referencedColumnName: "name" } })
      tags!: Relation<Tag>[];
    }
    @Entity()
    @Tracked()
    class Card {
      @PrimaryColumn("text") @Sensitive() number!: string;
    }
    for (const entities of [[Tag, Post], [Card]]) {
      const dataSource = await withMetadata(entities);
      expect(() => trackedTables(dataSource))
        .to.throw(/sensitive/)
        .with.property("code", "OPTIONS_INVALID");
    }
  });
});

/** A DataSource that knows its entities and has no connection. */
async function withMetadata(entities: NonNullable<DataSourceOptions["entities"]>): Promise<DataSource> {
  const dataSource = newDataSource("postgres://nowhere", entities);
  await (dataSource as unknown as { buildMetadatas(): Promise<void> }).buildMetadatas();
  return dataSource;
}
