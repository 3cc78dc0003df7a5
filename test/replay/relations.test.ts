import { expect } from "chai";
import {
  ChildEntity,
  Column,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
} from "typeorm";
import { Tracked } from "../../src/index.js";
import { application, proveReplay } from "./application.js";

@Entity()
@Tracked()
class Author {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @OneToMany(() => Book, (book) => book.author, { cascade: true }) books!: Relation<Book>[];
}

@Entity()
@Tracked()
class Book {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
  @ManyToOne(() => Author, (author) => author.books, { nullable: false, onDelete: "CASCADE" })
  author!: Relation<Author>;
  @ManyToOne(() => Book, { onDelete: "SET NULL" }) sequelOf!: Relation<Book> | null;
  @ManyToMany(() => Topic) @JoinTable() topics!: Relation<Topic>[];
}

@Entity()
@Tracked()
class Topic {
  @PrimaryColumn("text") name!: string;
}

/** Each needs the other, at once: neither key may be put off to the commit. */
@Entity()
@Tracked()
class Country {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") capitalId!: number;
}

@Entity()
@Tracked()
class City {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Country, { nullable: false }) country!: Relation<Country>;
}

@Entity()
@Tree("closure-table")
@Tracked()
class Branch {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @TreeParent({ onDelete: "CASCADE" }) parent!: Relation<Branch> | null;
  @TreeChildren({ cascade: true }) children!: Relation<Branch>[];
}

@Entity()
@Tree("materialized-path")
@Tracked()
class Path {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @TreeParent() parent!: Relation<Path> | null;
  @TreeChildren() children!: Relation<Path>[];
}

@Entity()
@TableInheritance({ column: { type: "text", name: "kind" } })
@Tracked()
class Vehicle {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

@ChildEntity()
class Car extends Vehicle {
  @Column("integer", { nullable: true }) doors!: number | null;
}

@ChildEntity()
@Tracked({ name: "Lorry" })
class Truck extends Vehicle {
  @Column("numeric", { nullable: true }) load!: string | null;
  @ManyToOne(() => Vehicle) tows!: Relation<Vehicle> | null;
}

/** Not tracked; its rows go with the book that they belong to. */
@Entity()
class Reading {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Book, { nullable: false, onDelete: "CASCADE" }) book!: Relation<Book>;
}

describe("replay of related rows", function () {
  this.timeout(30_000);
  const app = application({
    entities: [Author, Book, Topic, Country, City, Branch, Path, Vehicle, Car, Truck, Reading],
    after: 'alter table country add foreign key ("capitalId") references city',
  });

  it("brings back parents and children, also children that changed their parent or went with it", async () => {
    const authors = app.dataSource.getRepository(Author);
    const books = app.dataSource.getRepository(Book);
    await proveReplay(app, [
      () =>
        authors.save([
          { name: "Woolf", books: [{ title: "Orlando" }, { title: "The Waves" }] },
          { name: "Joyce", books: [{ title: "Ulysses" }] },
        ]),
      () => books.update({ title: "The Waves" }, { author: { id: 2 } }),
      () => authors.delete({ name: "Woolf" }),
      () => authors.save({ name: "Woolf", books: [{ title: "Orlando" }] }),
      () => app.sql("update book set \"authorId\" = 3 where title = 'Ulysses'; delete from author where id = 2"),
    ]);
  });

  it("brings back rows that refer to rows of their own table, in both orders", async () => {
    const [{ id } = { id: 0 }] = await app.dataSource.getRepository(Author).save([{ name: "Proust" }]);
    await proveReplay(app, [
      () =>
        app.sql(`insert into book (id, title, "authorId") select n, 'part ' || n, ${id} from generate_series(1, 7) n`),
      () => app.sql('update book set "sequelOfId" = id - 1 where id > 1'),
      () => app.sql('update book set "sequelOfId" = (id % 7) + 1'),
      () => app.sql("delete from book where id in (1, 4)"),
      () => app.sql(`insert into book (id, title, "authorId", "sequelOfId") values (8, 'itself', ${id}, 8)`),
    ]);
  });

  it("brings back cycles of keys that are checked at once", async () => {
    const pair = (id: number, capital: number) =>
      `with city as (insert into city (id, "countryId") values (${capital}, ${id})) insert into country (id, "capitalId") values (${id}, ${capital})`;
    await proveReplay(app, [
      () => app.sql(pair(1, 10)),
      () => app.sql(pair(2, 20)),
      () => app.sql('update country set "capitalId" = case id when 1 then 20 else 10 end'),
      () => app.sql('update city set "countryId" = 2 where id = 10; delete from country where id = 1'),
      () => app.sql(pair(3, 30)),
      () => app.sql("with gone as (delete from city) delete from country where true"),
    ]);
  });

  it("brings back many-to-many relations", async () => {
    const books = app.dataSource.getRepository(Book);
    const [author] = await app.dataSource.getRepository(Author).save([{ name: "Mann" }]);
    const [sea, war, love] = await app.dataSource
      .getRepository(Topic)
      .save(["sea", "war", "love"].map((name) => ({ name })));
    const book = books.create({ title: "Tonio", author: author as Author, topics: [sea, war] as Topic[] });
    await proveReplay(app, [
      () => books.save(book),
      () => books.save(Object.assign(book, { topics: [sea, love] })),
      () => books.createQueryBuilder().relation(Book, "topics").of(book).remove(sea),
      () =>
        app.dataSource
          .getRepository(Topic)
          .delete("love")
          .then(() => app.dataSource.getRepository(Topic).insert({ name: "sun" })),
    ]);
  });

  it("brings back trees", async () => {
    const branches = app.dataSource.getTreeRepository(Branch);
    const paths = app.dataSource.getTreeRepository(Path);
    const root = await branches.save({ name: "root" });
    const path = await paths.save({ name: "root" });
    await proveReplay(app, [
      async () => {
        const child = await branches.save({ name: "child", parent: root });
        await branches.save({ name: "grandchild", parent: child });
        await paths.save({ name: "child", parent: path });
      },
      async () => {
        const child = await branches.findOneByOrFail({ name: "child" });
        await branches.save({ name: "late", parent: child });
        await paths.save({ name: "late", parent: await paths.findOneByOrFail({ name: "child" }) });
      },
      () => branches.delete({ name: "grandchild" }),
      async () => branches.save(Object.assign(await branches.findOneByOrFail({ name: "late" }), { parent: root })),
    ]);
  });

  it("brings back single-table inheritance, each child under its own name", async () => {
    await proveReplay(app, [
      () => app.dataSource.getRepository(Car).save([{ name: "Beetle", doors: 3 }, { name: "Mini" }]),
      () => app.dataSource.getRepository(Truck).save({ name: "Actros", load: "12.50", tows: { id: 1 } }),
      () => app.dataSource.getRepository(Vehicle).update({ name: "Mini" }, { name: "Maxi" }),
      () => app.sql("update vehicle set kind = 'Car', load = null, doors = 2 where name = 'Actros'"),
      () => app.dataSource.getRepository(Truck).save({ name: "Arocs", load: "0.10" }),
    ]);
    expect([...new Set((await app.events()).map(({ entity }) => entity))]).to.include.members(["Car", "Lorry"]);
  });

  it("leaves rows of untracked tables alone that refer to kept rows, though they would go with them", async () => {
    const [author] = await app.dataSource.getRepository(Author).save([{ name: "Eco" }]);
    const books = app.dataSource.getRepository(Book);
    const book = await books.save({ title: "The Name", author: author as Author });
    const { bookmark } = await app.moment();
    const readings = app.dataSource.getRepository(Reading);
    await readings.save([{ book }, { book }]);
    await books.update(book.id, { title: "The Name of the Rose" });
    await app.log.replay({ bookmark });
    await app.spoil("update book set title = 'spoilt'");
    await app.log.replay();
    expect(await books.find()).to.deep.equal([{ id: book.id, title: "The Name" }]);
    expect(await readings.count()).to.equal(2);
  });
});
