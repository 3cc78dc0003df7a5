import { expect } from "chai";
import {
  ChildEntity,
  Column,
  DefaultNamingStrategy,
  DeleteDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  PrimaryGeneratedColumn,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  ViewEntity,
} from "typeorm";
import { Sensitive, Tracked, type TrackedOptions } from "../../src/index.js";
import { Application, proveReplay, type Setting } from "../replay/application.js";

/* eslint-disable @typescript-eslint/no-unsafe-function-type -- what TypeORM calls an entity's target */
type Class = new () => object;

/**
 * Where an entity may have its properties: each place makes the classes, and says by which path the properties are reached.
 * A column shows by its name what it has to be in the log: secret, hidden, tenant, deleted, kind.
 */
interface Place {
  readonly path: string;
  readonly entities: readonly Class[];
  /** What is written. */
  readonly root: Class;
}

@Entity({ name: "tag" })
@Tracked()
class Tag {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

function put(type: Class): Class {
  const to = type.prototype as object;
  Column("text", { nullable: true })(to, "plain");
  Column("text", { nullable: true })(to, "secret");
  Sensitive()(to, "secret");
  Column("text", { default: "standard" })(to, "hidden");
  Column("text", { nullable: true })(to, "tenant");
  DeleteDateColumn({ type: "timestamptz" })(to, "deleted");
  ManyToMany(() => Tag)(to, "tags");
  JoinTable()(to, "tags");
  return type;
}

function entity(type: Class, name = "root"): Class {
  Entity({ name })(type);
  return type;
}

function tracked(type: Class, path = "", more: TrackedOptions = {}): Class {
  Tracked({ exclude: [`${path}hidden`], tenant: `${path}tenant`, ...more })(type);
  return type;
}

function withId(type: Class): Class {
  PrimaryGeneratedColumn()(type.prototype as object, "id");
  return type;
}

function embed(type: Class, property: string, part: Class, prefix?: string | boolean): Class {
  Column(() => part, prefix === undefined ? undefined : { prefix })(type.prototype as object, property);
  return type;
}

function simple(make: (root: Class) => string): Place {
  class Root {}
  const path = make(Root);
  return { path, entities: [tracked(entity(withId(Root)), path)], root: Root };
}

function inherited(
  isRoot: (type: Class) => Class,
  asChild: (type: Class, parent: Class) => void,
  grand = false,
): Place {
  class Root {}
  class Child extends Root {}
  class Grandchild extends Child {}
  class Sibling extends Root {}
  entity(withId(isRoot(Root)));
  TableInheritance({ column: { type: "text", name: "kind" } })(Root);
  ChildEntity()(Child);
  ChildEntity()(Sibling);
  if (grand) ChildEntity()(Grandchild);
  asChild(grand ? Grandchild : Child, Root);
  return {
    path: "",
    entities: [Root, Child, Sibling, ...(grand ? [Grandchild] : [])],
    root: grand ? Grandchild : Child,
  };
}

const places: Readonly<Record<string, () => Place>> = {
  "an entity": () => simple((root) => (put(root), "")),
  "an embedded object": () => simple((root) => (embed(root, "address", put(class Address {})), "address.")),
  "an embedded object without a prefix": () =>
    simple((root) => (embed(root, "address", put(class Address {}), false), "address.")),
  "an embedded object with a prefix of its own": () =>
    simple((root) => (embed(root, "address", put(class Address {}), "at"), "address.")),
  "an embedded object in an embedded object": () =>
    simple((root) => (embed(root, "person", embed(class Person {}, "home", put(class Home {}))), "person.home.")),
  "an embedded object without a prefix in one that has one": () =>
    simple(
      (root) => (embed(root, "person", embed(class Person {}, "home", put(class Home {}), false), "p"), "person.home."),
    ),
  "the parent of the class of an embedded object": () => {
    const Parent = put(class Parent {});
    return simple((root) => (embed(root, "address", class Address extends Parent {}), "address."));
  },
  "an abstract parent": () => {
    const Parent = put(class Parent {});
    class Root extends Parent {}
    return { path: "", entities: [tracked(entity(withId(Root)))], root: Root };
  },
  "an abstract parent that is tracked": () => {
    const Parent = tracked(put(class Parent {}));
    class Root extends Parent {}
    class Other extends Parent {}
    return { path: "", entities: [entity(withId(Root)), entity(withId(Other), "other")], root: Root };
  },
  "an embedded object of an abstract parent": () => {
    const Parent = embed(class Parent {}, "address", put(class Address {}));
    class Root extends Parent {}
    return { path: "address.", entities: [tracked(entity(withId(Root)), "address.")], root: Root };
  },
  "a mixin": () => {
    const mixed = (Base: Class) => put(class Mixed extends Base {});
    class Root extends mixed(class {}) {}
    return { path: "", entities: [tracked(entity(withId(Root)))], root: Root };
  },
  "a parent with a table of its own": () => {
    class Parent {}
    class Root extends Parent {}
    const parent = tracked(entity(withId(put(Parent)), "parent"));
    return { path: "", entities: [parent, entity(Root)], root: Root };
  },
  "an entity that extends one with a table of its own": () => {
    class Parent {}
    class Root extends Parent {}
    Tracked()(entity(withId(Parent), "parent"));
    return { path: "", entities: [Parent, tracked(entity(put(Root)))], root: Root };
  },
  "a parent under single-table inheritance": () =>
    inherited(
      (root) => tracked(put(root)),
      () => undefined,
    ),
  "a child under single-table inheritance": () =>
    inherited(
      (root) => root,
      (child, root) => {
        put(child);
        Tracked({ tenant: "tenant" })(root);
        Tracked({ exclude: ["hidden"] })(child);
      },
    ),
  "a grandchild under single-table inheritance": () =>
    inherited(
      (root) => root,
      (child, root) => {
        put(child);
        tracked(root);
      },
      true,
    ),
  // TypeORM itself cannot write such a relation of a child.
  "an embedded object of a parent under single-table inheritance": () => {
    const { entities } = inherited(
      (root) => tracked(embed(root, "address", put(class Address {})), "address."),
      () => undefined,
    );
    return { path: "address.", entities, root: entities[0] as Class };
  },
  "an embedded object of a closure tree": () =>
    simple((root) => {
      const to = root.prototype as object;
      Tree("closure-table")(root);
      TreeParent()(to, "parent");
      TreeChildren()(to, "children");
      Reflect.defineMetadata("design:type", root, to, "parent");
      return (embed(root, "address", put(class Address {})), "address.");
    }),
};

class Snake extends DefaultNamingStrategy {
  override columnName(property: string, custom: string, prefixes: string[]): string {
    return [...prefixes, custom || property].join("_$_").toLowerCase();
  }

  override joinTableName(first: string, second: string, path: string): string {
    return `${first} to ${second} by ${path.replaceAll(".", " ")}`;
  }

  override joinTableColumnName(table: string, property: string): string {
    return `of_${table}_${property}`;
  }

  override joinTableInverseColumnName(table: string, property: string): string {
    return `to_${table}_${property}`;
  }
}

const settings: readonly (readonly [string, Partial<Setting>])[] = [
  ["", {}],
  [", with a naming strategy", { dataSource: { namingStrategy: new Snake() } }],
  [", with a prefix of tables", { dataSource: { entityPrefix: "App " } }],
  [", in a schema", { dataSource: { schema: "Shop floor" }, before: `create schema "Shop floor"` }],
];

/** Not tracked: what it has must stay out. */
function unrelated(root: Class): Class[] {
  @Entity({ name: "unrelated" })
  class Unrelated {
    @PrimaryGeneratedColumn() id!: number;
    @ManyToMany(() => root) @JoinTable({ name: "unrelated_roots" }) roots!: object[];
    @ManyToMany(() => Tag) @JoinTable({ name: "unrelated_tags" }) tags!: Tag[];
  }
  @ViewEntity({ name: "unrelated_view", expression: "select 1 as id" })
  class UnrelatedView {}
  return [Unrelated, UnrelatedView];
}

/** What the database says of the tables that are not called unrelated: which columns, by their names, are what. */
const wanted = `
  select format('%I.%I', n.nspname, c.relname) as "table",
    (select array_agg(attname::text order by attname) from a where attname ~* 'hidden') as hidden,
    (select array_agg(attname::text order by attname) from a where attname ~* 'secret') as secret,
    (select attname::text from a where attname ~* 'tenant') as tenant,
    (select attname::text from a where attname ~* 'deleted') as deleted,
    (select attname::text from a where attname ~* 'kind') as kind,
    (select array_agg(attname::text order by attname) from a join pg_index i on i.indrelid = attrelid and i.indisprimary
      and attnum = any (i.indkey)) as keys
  from pg_class c join pg_namespace n on n.oid = c.relnamespace`;

const found = `
  select format('%I.%I', n.nspname, c.relname) as "table",
    (select array_agg(x order by x) from unnest(t.excluded_columns) x) as hidden,
    (select array_agg(attname::text order by attname) from a where attname <> all (t.plain_columns || t.excluded_columns)) as secret,
    t.tenant_column as tenant, t.delete_date_column as deleted, t.discriminator_column as kind,
    (select array_agg(x order by x) from unnest(t.key_columns) x) as keys
  from chronicle.tracked t join pg_class c on c.oid = t.table_oid join pg_namespace n on n.oid = c.relnamespace`;

const withColumns = (query: string) =>
  query.replaceAll(
    "from a ",
    "from (select * from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) a ",
  );

function within(path: string, values: object): object {
  return path
    .split(".")
    .filter((part) => part !== "")
    .reduceRight<object>((inner, part) => ({ [part]: inner }), values);
}

describe("what belongs to a tracked entity", function () {
  this.timeout(60_000);
  let app: Application;
  afterEach(() => app?.stop());

  for (const [index, [where, make]] of Object.entries(places).entries()) {
    for (const capture of ["trigger", "subscriber"] as const) {
      const [name, setting] = settings[(index + Number(capture === "subscriber")) % settings.length] ?? [];
      it(`is all of the database's tables and columns with properties in ${where}, under ${capture} capture${name}`, async () => {
        const { path, entities, root } = make();
        app = new Application({ ...setting, capture, entities: [Tag, ...entities, ...unrelated(root)] });
        await app.start();
        const outside = "n.nspname not in ('chronicle', 'information_schema') and n.nspname not like 'pg\\_%'";
        const tables = await app.sql(
          `${withColumns(wanted)} where c.relkind = 'r' and ${outside} and c.relname !~ 'unrelated|typeorm_metadata' order by 1`,
        );
        expect(await app.sql(`${withColumns(found)} order by 1`)).to.deep.equal(tables);
        expect(tables.filter(({ keys }) => keys.length > 1)).to.not.be.empty;

        const { manager } = app.dataSource;
        const [one, two, three] = await manager.save(
          ["one", "two", "three"].map((word) => Object.assign(new Tag(), { name: word })),
        );
        const values = { plain: "a", secret: "b", tenant: "c", tags: [one, two] };
        const written = manager.create(root, within(path, values)) as { id: number };
        await proveReplay(app, [
          () => manager.save(root, written),
          () =>
            manager.save(
              root,
              manager.create(root, { id: written.id, ...within(path, { plain: "d", tags: [two, three] }) }),
            ),
          () =>
            manager.save(root, manager.create(root, { id: written.id, ...within(path, { secret: "e", tags: [] }) })),
          () => manager.softRemove(root, manager.create(root, { id: written.id })),
        ]);
        const events = await app.events();
        expect(JSON.stringify(events)).to.not.match(/standard|"[^"]*(?:secret|hidden)"/i);
        const created = events.find(({ data, action }) => action === "create" && JSON.stringify(data).includes('"c"'));
        expect(created).to.include({ tenant: "c" });
        expect(events.map(({ actionName }) => actionName)).to.include("soft-remove");
      });
    }
  }
});
