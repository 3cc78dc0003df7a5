import { expect } from "chai";
import {
  ChildEntity,
  Column,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
  ViewEntity,
} from "typeorm";
import { SensitiveNames } from "../../src/activity/sensitive-names.js";
import { type EventLogError, Sensitive, Tracked, type TrackedOptions } from "../../src/index.js";
import { type TrackedTable, trackedTables } from "../../src/log/tracked-tables.js";
import { Application, application, rejectionOf } from "../replay/application.js";

type Class = new () => object;

@Entity({ name: "nothing" })
@Tracked()
class Nothing {
  @PrimaryGeneratedColumn() id!: number;
}

/** An entity on the table "member"; each option but its @Tracked is a column that it has. */
function member(
  options: TrackedOptions | undefined,
  { name = "Member", columns = ["word"], key = ["id"], table = "member" } = {},
): Class {
  const type = { [name]: class {} }[name] as Class;
  for (const column of key) PrimaryColumn("integer")(type.prototype as object, column);
  for (const column of columns) Column("text", { nullable: true })(type.prototype as object, column);
  Entity({ name: table })(type);
  if (options !== undefined) Tracked(options)(type);
  return type;
}

describe("the tracked tables", function () {
  this.timeout(30_000);
  const app = application({ entities: [Nothing] });

  async function tablesOf(...entities: Class[]): Promise<readonly TrackedTable[]> {
    const { dataSource } = await app.open({ entities });
    try {
      return trackedTables(dataSource);
    } finally {
      await dataSource.destroy();
    }
  }

  async function refusalOf(...entities: Class[]): Promise<EventLogError> {
    const error = (await rejectionOf(tablesOf(...entities))) as EventLogError;
    expect(error).to.include({ code: "OPTIONS_INVALID" });
    return error;
  }

  const other = (options: TrackedOptions | undefined, more = {}) => member(options, { name: "Contact", ...more });
  const one = { name: "Member" };

  /** Two entities on one table that do not agree: what is said of them, and the same two after the advice was followed. */
  const conflicts: Readonly<Record<string, [wrong: Class[], says: string, right: Class[]]>> = {
    names: [[member(one), other({})], 'entity is "Contact" and "Member"', [member(one), other(one)]],
    "former names": [
      [member({ formerly: ["Old"] }), other(one)],
      'formerly is [] and ["Old"]',
      [member({ formerly: ["Old"] }), other({ ...one, formerly: ["Old"] })],
    ],
    versions: [
      [member({ version: 2 }), other(one)],
      'versions is {"create":1,"update":1,"destroy":1} and {"create":2',
      [member({ version: 2 }), other({ ...one, version: 2 })],
    ],
    auditOnly: [
      [member({ auditOnly: true }), other(one)],
      "auditOnly is false and true",
      [member({ auditOnly: true }), other({ ...one, auditOnly: true })],
    ],
    actions: [
      [member({ auditOnly: true, actions: ["create"] }), other({ ...one, auditOnly: true })],
      'actions is ["create","update","destroy"] and ["create"]',
      [member({ auditOnly: true, actions: ["create"] }), other({ ...one, auditOnly: true, actions: ["create"] })],
    ],
    "what is excluded": [
      [member({ exclude: ["word"] }), other(one)],
      "not all exclude word",
      [member({ exclude: ["word"] }), other({ ...one, exclude: ["word"] })],
    ],
    "the tenant": [
      [member({ tenant: "word" }), other(one)],
      "not for all of them word is the tenant",
      [member({ tenant: "word" }), other({ ...one, tenant: "word" })],
    ],
    "the key": [
      [member(one), other(one, { key: ["id", "part"] })],
      'keyColumns is ["id","part"] and ["id"]',
      [member(one, { key: ["part", "id"] }), other(one, { key: ["id", "part"] })],
    ],
  };

  for (const [what, [wrong, says, right]] of Object.entries(conflicts)) {
    it(`refuse entities on one table that do not agree on ${what}, with advice that helps`, async () => {
      const { message, hint } = await refusalOf(...wrong);
      expect(message).to.include(`are both on public.member and do not agree: ${says}`);
      expect(hint).to.include(what === "the key" ? "the primary key that the table has" : "the same @Tracked options");
      expect(await tablesOf(...right)).to.have.length(1);
    });
  }

  it("ask no entity about columns that it does not have", async () => {
    const [table] = await tablesOf(
      member({ exclude: ["word"], tenant: "zone" }, { columns: ["word", "zone"] }),
      other(one, { columns: ["mail"] }),
    );
    expect(table).to.include({ tenantColumn: "zone" });
    expect(table?.excludedColumns).to.deep.equal(["word"]);
    expect(table?.plainColumns).to.have.members(["id", "zone", "mail"]);
  });

  it("say all that is wrong in one error", async () => {
    @Entity({ name: "vehicle" })
    @TableInheritance({ column: { type: "text", name: "kind" } })
    class Vehicle {
      @PrimaryGeneratedColumn() id!: number;
    }
    @ChildEntity()
    @Tracked()
    class Car extends Vehicle {}
    @ViewEntity({ expression: "select 1 as id" })
    @Tracked()
    class Seen {}
    const options = { name: "Third", exclude: ["nowhere"], tenant: "nobody" };
    const { details, message } = await refusalOf(
      member(one),
      other({}),
      member({}, { name: "First", table: "first" }),
      member({ version: 2 }, { name: "Second", table: "first" }),
      member(options, { table: "third" }),
      member({ name: "Third", exclude: ["id"] }, { table: "fourth" }),
      Vehicle,
      Car,
      Seen,
    );
    const findings = details["findings"] as string[];
    const expected = [
      "Car is tracked, but its rows are in the table of Vehicle, which is not",
      "Seen is tracked, but it is a view",
      'public.member and do not agree: entity is "Contact" and "Member"',
      'public.first and do not agree: entity is "First" and "Second"',
      "public.first and do not agree: versions is",
      'exclude: there is no column for the property "nowhere"',
      'tenant: there is no column for the property "nobody"',
      'the key column "id" cannot be sensitive or excluded',
      'exclude: "id" is NOT NULL without a default',
      'Two tracked tables have the name "Third"',
    ];
    for (const finding of expected) {
      expect(
        findings.filter((found) => found.includes(finding)),
        finding,
      ).to.have.length(1);
      expect(message).to.include(finding);
    }
    expect(findings).to.have.length(expected.length);
  });

  it("refuse junctions on one table that have different keys", async () => {
    class Base {
      @PrimaryGeneratedColumn() id!: number;
      @ManyToMany(() => Nothing) @JoinTable({ name: "shared" }) all!: Nothing[];
    }
    @Entity()
    @Tracked()
    class Left extends Base {}
    @Entity()
    @Tracked()
    class Right extends Base {}
    const { message } = await refusalOf(Nothing, Left, Right);
    expect(message).to.include("Left.all and Right.all on public.shared have different keys");
  });

  it("are not made of what a child says of the whole table", async () => {
    @Entity({ name: "vehicle" })
    @TableInheritance({ column: { type: "text", name: "kind" } })
    @Tracked({ tenant: "zone" })
    class Vehicle {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { nullable: true }) zone!: string | null;
    }
    @ChildEntity()
    @Tracked({ tenant: "place", auditOnly: true })
    class Car extends Vehicle {
      @Column("text", { nullable: true }) place!: string | null;
    }
    const { message } = await refusalOf(Vehicle, Car);
    expect(message)
      .to.include("@Tracked on Car: tenant holds for the whole table; say it on Vehicle.")
      .and.include("@Tracked on Car: auditOnly holds for the whole table");
  });

  it("take a property's columns by its path, its embedded object, its relation or its bare name", async () => {
    @Entity({ name: "pair" })
    class Pair {
      @PrimaryColumn("integer") a!: number;
      @PrimaryColumn("integer") b!: number;
    }
    class Address {
      @Column("text", { nullable: true }) street!: string | null;
      @Column("text", { nullable: true }) city!: string | null;
      @ManyToOne(() => Pair) pair!: Pair | null;
    }
    const person = (...exclude: string[]) => {
      @Entity({ name: "person" })
      @Tracked({ exclude })
      class Person {
        @PrimaryGeneratedColumn() id!: number;
        @Column("text", { nullable: true }) city!: string | null;
        @Column(() => Address) home!: Address;
        @Column(() => Address) work!: Address;
        @Column("integer", { nullable: true }) firstId!: number | null;
        @Column("integer", { nullable: true }) secondId!: number | null;
        @ManyToOne(() => Pair)
        @JoinColumn([
          { name: "firstId", referencedColumnName: "a" },
          { name: "secondId", referencedColumnName: "b" },
        ])
        pair!: Pair | null;
      }
      return Person;
    };
    const wanted: Record<string, string[]> = {
      "home.street": ["homeStreet"],
      home: ["homeCity", "homePaira", "homePairb", "homeStreet"],
      street: ["homeStreet", "workStreet"],
      city: ["city"],
      "home.pair": ["homePaira", "homePairb"],
      pair: ["firstId", "secondId"],
      firstId: ["firstId"],
    };
    for (const [property, columns] of Object.entries(wanted)) {
      const [table] = await tablesOf(Pair, person(property));
      expect(table?.excludedColumns.toSorted(), property).to.deep.equal(columns);
    }
  });

  it("hide what is marked in an embedded object, on its property or on its relation", async () => {
    class Address {
      @Column("text", { nullable: true }) @Sensitive() street!: string | null;
      @Column("integer", { nullable: true }) nothingId!: number | null;
      @ManyToOne(() => Nothing) @JoinColumn({ name: "nothingId" }) @Sensitive() nothing!: Nothing | null;
    }
    @Entity({ name: "person" })
    @Tracked()
    class Person {
      @PrimaryGeneratedColumn() id!: number;
      @Column(() => Address) home!: Address;
      @Column("text", { nullable: true }) nothing!: string | null;
    }
    const { dataSource } = await app.open({ entities: [Nothing, Person] });
    const names = new SensitiveNames([]);
    names.learn(dataSource);
    for (const name of ["street", "homeStreet", "nothingId"]) expect(names.has(name), name).to.equal(true);
    expect(names.has("word")).to.equal(false);
    const tables = trackedTables(dataSource);
    const table = tables.find(({ entity }) => entity === "Person");
    expect([...(table?.sensitiveColumns.keys() ?? [])]).to.have.members(["homeStreet", "homeNothingid"]);
    expect(table?.plainColumns).to.have.members(["id", "nothing"]);
  });

  it("are two where a class extends an entity, each by its own name, with its own columns and relations", async () => {
    @Entity({ name: "parent" })
    @Tracked({ name: "Elder", formerly: ["Ancestor"], version: 3 })
    class Parent {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { nullable: true }) word!: string | null;
      @ManyToMany(() => Nothing) @JoinTable() all!: Relation<Nothing>[];
    }
    @Entity({ name: "child" })
    class Child extends Parent {
      @Sensitive() declare word: string | null;
      @Column("text", { nullable: true }) more!: string | null;
    }
    @Entity({ name: "stranger" })
    @Tracked({ name: "Own" })
    class Stranger extends Parent {}
    const tables = await tablesOf(Nothing, Parent, Child, Stranger);
    expect(
      tables.map(({ entity, tableName, formerly, versions }) => [entity, tableName, formerly, versions.create]),
    ).to.have.deep.members([
      ["Nothing", "public.nothing", [], 1],
      ["Elder", "public.parent", ["Ancestor"], 3],
      ["Elder.all", "public.parent_all_nothing", ["Ancestor.all"], 3],
      ["Child", "public.child", [], 3],
      ["Child.all", "public.child_all_nothing", [], 3],
      ["Own", "public.stranger", [], 1],
      ["Own.all", "public.stranger_all_nothing", [], 1],
    ]);
    const shown = Object.fromEntries(tables.map(({ entity, plainColumns }) => [entity, plainColumns]));
    expect(shown["Elder"]).to.have.members(["id", "word"]);
    expect(shown["Child"]).to.have.members(["id", "more"]);
    expect(tables.flatMap(({ children }) => Object.keys(children))).to.deep.equal([]);
  });

  it("are one where a class extends an entity on the same table, by the name of the one that is tracked itself", async () => {
    @Entity({ name: "account" })
    @Tracked()
    class User {
      @PrimaryGeneratedColumn() id!: number;
      @ManyToMany(() => Nothing) @JoinTable() roles!: Relation<Nothing>[];
    }
    @Entity({ name: "account" })
    class Admin extends User {
      @Column("text", { select: false }) secret!: string;
    }
    const tables = await tablesOf(Nothing, User, Admin);
    expect(tables.map(({ entity, formerly }) => [entity, formerly])).to.have.deep.members([
      ["Nothing", []],
      ["User", []],
      ["User.roles", []],
    ]);
    const user = tables.find(({ entity }) => entity === "User");
    expect([...(user?.sensitiveColumns.keys() ?? [])]).to.deep.equal(["secret"]);
  });

  it("are found by TypeORM's own reading of a name with a dot, which is a schema and a table", async () => {
    const [table] = await tablesOf(member({}, { table: "Shop.member" }));
    expect(table).to.include({ tableName: '"Shop".member', sqlName: '"Shop"."member"' });
  });
});

describe("rows of an entity that others extend", () => {
  let app: Application;
  afterEach(() => app?.stop());

  it("come back as its class where these have tables of their own", async () => {
    @Entity({ name: "parent" })
    @Tracked()
    class Parent {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text", { nullable: true }) word!: string | null;
    }
    @Entity({ name: "child" })
    class Child extends Parent {}
    app = new Application({ entities: [Parent, Child] });
    await app.start();
    for (const type of [Parent, Child]) {
      const { id } = await app.dataSource.manager.save(Object.assign(new type(), { word: "said" }));
      expect((await app.log.history(type, id)).map(({ entity }) => entity)).to.deep.equal([type.name]);
      const found = await app.log.at(type, id, await app.position());
      expect(found?.constructor).to.equal(type);
      expect(found).to.include({ word: "said" });
    }
  });

  it("come back as the child that a number in the discriminator names", async () => {
    @Entity({ name: "vehicle" })
    @TableInheritance({ column: { type: "bigint", name: "kind" } })
    @Tracked()
    class Vehicle {
      @PrimaryGeneratedColumn() id!: number;
    }
    @ChildEntity(7)
    class Car extends Vehicle {
      @Column("integer", { nullable: true }) doors!: number | null;
    }
    app = new Application({ entities: [Vehicle, Car] });
    await app.start();
    const { id } = await app.dataSource.manager.save(Object.assign(new Car(), { doors: 5 }));
    expect((await app.log.history(Car, id)).map(({ entity }) => entity)).to.deep.equal(["Car"]);
    const found = await app.log.at(Vehicle, id, await app.position());
    expect(found).to.be.instanceOf(Car).and.include({ doors: 5 });
  });

  it("lose what is erased of an embedded object, and nothing else", async () => {
    class Address {
      @Column("text", { nullable: true }) @Sensitive() street!: string | null;
    }
    @Entity({ name: "person" })
    @Tracked()
    class Person {
      @PrimaryGeneratedColumn() id!: number;
      @Column(() => Address) home!: Address;
      @Column(() => Address) work!: Address;
    }
    app = new Application({ entities: [Person] });
    await app.start();
    const person = { home: { street: "here" }, work: { street: "there" } };
    const { id } = await app.dataSource.manager.save(Object.assign(new Person(), person));
    await app.log.erase(Person, id, { columns: ["home"] });
    expect(await app.sql("select * from person")).to.deep.equal([{ id, homeStreet: null, workStreet: "there" }]);
    await app.log.erase(Person, id, { columns: ["street"] });
    expect(await app.sql("select * from person")).to.deep.equal([{ id, homeStreet: null, workStreet: null }]);
  });
});
