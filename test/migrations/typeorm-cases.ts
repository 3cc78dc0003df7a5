import { type ColumnOptions, ManyToOne } from "typeorm";
import { type EntityClass, entityOf } from "./entity-of.js";
import { type Columns, int, type Row, text } from "./kind.js";

/** A pair of entities that `migration:generate` is asked about. The table is `person`. */
export interface TypeOrmCase {
  readonly name: string;
  readonly before: () => readonly EntityClass[];
  readonly after: () => readonly EntityClass[];
  /** Two rows. Once they are bookmarked, the first takes the values of the second. */
  readonly rows: readonly [Row, Row];
  /** What the first takes instead. (Default: the values of the second) */
  readonly edit?: Row;
  /** The rows at the bookmark, in the new shape, or "refused" since it has no place for them. */
  readonly past: readonly Row[] | "refused";
  /** The rows at the bookmark, in the old shape, once the migration was undone. */
  readonly back: readonly Row[];
  /** A row of the new shape, whose values the old shape can hold as well. */
  readonly fresh: Row;
}

const person = (columns: Columns) => () => [entityOf({ columns }, "person")];
const v = (options: ColumnOptions): Columns => ({ v: { nullable: true, ...options } });
const stateOf = (labels: string[], more: ColumnOptions = {}): Columns =>
  v({ type: "enum", enum: labels, enumName: "person_state", ...more });
const rowsOf = (first: unknown, second: unknown): [Row, Row] => [
  { id: 1, v: first },
  { id: 2, v: second },
];
const nulls = rowsOf(null, null);
const [abc, abd] = [
  ["a", "b", "c"],
  ["a", "b", "d"],
];

/** Two entities, the second of which may refer to the first. */
const withAuthors = (isRelated: boolean) => () => {
  const author = entityOf({ columns: { pen_name: text } }, "author");
  const [book] = person({ v: text })() as [EntityClass];
  if (isRelated) ManyToOne(() => author, { nullable: true })(book.prototype as object, "author");
  return [author, book];
};

export const typeOrmCases: readonly TypeOrmCase[] = [
  {
    name: "a changed type, for which it drops the column and adds another",
    before: person({ v: text }),
    after: person({ v: int }),
    rows: rowsOf("one", "2"),
    past: nulls,
    back: nulls,
    fresh: { id: 3, v: 3 },
  },
  {
    name: "a changed length, for which it drops the column and adds another",
    before: person(v({ type: "varchar", length: 10 })),
    after: person(v({ type: "varchar", length: 50 })),
    rows: rowsOf("one", "two"),
    past: nulls,
    back: nulls,
    fresh: { id: 3, v: "three" },
  },
  {
    name: "changed decimals, for which it changes the type",
    before: person(v({ type: "numeric", precision: 10, scale: 1 })),
    after: person(v({ type: "numeric", precision: 12, scale: 3 })),
    rows: rowsOf(1.5, null),
    past: rowsOf(1.5, null),
    back: rowsOf(1.5, null),
    fresh: { id: 3, v: 2.5 },
  },
  {
    name: "an enum with another label",
    before: person(stateOf(abc)),
    after: person(stateOf([...abc, "d"])),
    rows: rowsOf("a", "c"),
    past: rowsOf("a", "c"),
    back: rowsOf("a", "c"),
    fresh: { id: 3, v: "b" },
  },
  {
    name: "an enum without a label that only history has",
    before: person(stateOf(abc)),
    after: person(stateOf(abd)),
    rows: rowsOf("c", "b"),
    past: "refused",
    back: rowsOf("c", "b"),
    fresh: { id: 3, v: "a" },
  },
  {
    name: "an enum with another default and one label for another, which nothing had",
    before: person(stateOf(abc, { default: "a" })),
    after: person(stateOf(abd, { default: "b" })),
    rows: rowsOf("a", "b"),
    past: rowsOf("a", "b"),
    back: rowsOf("a", "b"),
    fresh: { id: 3 },
  },
  {
    name: "an enum array with another label",
    before: person(stateOf(abc, { array: true })),
    after: person(stateOf([...abc, "d"], { array: true })),
    rows: rowsOf(["a", "c"], []),
    past: rowsOf(["a", "c"], []),
    back: rowsOf(["a", "c"], []),
    fresh: { id: 3, v: ["b"] },
  },
  {
    name: "a renamed property, which it takes for a renamed column",
    before: person({ v: text }),
    after: person({ w: text }),
    rows: rowsOf("one", "two"),
    past: [
      { id: 1, w: "one" },
      { id: 2, w: "two" },
    ],
    back: rowsOf("one", "two"),
    fresh: { id: 3, w: "three" },
  },
  {
    name: "two renamed properties, for which it drops columns and adds others",
    before: person({ v: text, x: text }),
    after: person({ w: text, y: text }),
    rows: [
      { id: 1, v: "one", x: "eins" },
      { id: 2, v: "two", x: "zwei" },
    ],
    past: [
      { id: 1, w: null, y: null },
      { id: 2, w: null, y: null },
    ],
    back: [
      { id: 1, v: null, x: null },
      { id: 2, v: null, x: null },
    ],
    fresh: { id: 3, w: "three", y: null },
  },
  {
    name: "a column that must not be null any more, when only history has a null",
    before: person({ v: text }),
    after: person({ v: { type: "text" } }),
    rows: rowsOf(null, "two"),
    past: rowsOf(null, "two"),
    back: rowsOf(null, "two"),
    fresh: { id: 3, v: "three" },
  },
  {
    name: "a column that may be null",
    before: person({ v: { type: "text" } }),
    after: person({ v: text }),
    rows: rowsOf("one", "two"),
    past: rowsOf("one", "two"),
    back: rowsOf("one", "two"),
    fresh: { id: 3, v: "three" },
  },
  {
    name: "a default",
    before: person({ v: text }),
    after: person({ v: { ...text, default: "free" } }),
    rows: rowsOf(null, "two"),
    past: rowsOf(null, "two"),
    back: rowsOf(null, "two"),
    fresh: { id: 3 },
  },
  {
    name: "a new column with a default",
    before: person({ v: text }),
    after: person({ v: text, plan: { type: "text", default: "free" } }),
    rows: rowsOf("one", "two"),
    past: rowsOf("one", "two").map((row) => ({ ...row, plan: "free" })),
    back: rowsOf("one", "two"),
    fresh: { id: 3, v: "three", plan: "gold" },
  },
  {
    name: "a new relation",
    before: withAuthors(false),
    after: withAuthors(true),
    rows: rowsOf("one", "two"),
    past: rowsOf("one", "two").map((row) => ({ ...row, authorId: null })),
    back: rowsOf("one", "two"),
    fresh: { id: 3, v: "three", author: { id: 1 } },
  },
  {
    name: "a new unique column, when history has a value twice",
    before: person({ v: text }),
    after: person({ v: { ...text, unique: true } }),
    rows: rowsOf("same", "same"),
    edit: { v: "another" },
    past: rowsOf("same", "same"),
    back: rowsOf("same", "same"),
    fresh: { id: 3, v: "three" },
  },
];
