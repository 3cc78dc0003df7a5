import { int, type Kind, type Row, text } from "../kind.js";

const name = { columns: { name: text } };
const names = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Alan" },
  { id: 3, name: "Grace" },
] as const;
/** Columns that are dropped, and what takes their name. */
export const dropped: readonly Kind[] = [
  {
    name: "a column is dropped",
    before: { columns: { name: text, age: int } },
    after: name,
    migration: ["alter table $t drop column age"],
    rows: [
      { ...names[0], age: 36 },
      { ...names[1], age: 41 },
      { ...names[2], age: 85 },
    ],
    past: [...names],
    fresh: [
      { id: 4, name: "Joan" },
      { id: 5, name: "Kay" },
    ],
  },
  replaced("another type, as TypeORM does it", { type: "text" }, "int", ["42", "43", "forty"], [7, 8]),
  replaced("the same type", { type: "text" }, "text", ["42", "43", "44"], ["7", "8"]),
  replaced(
    "the same type of another length, as TypeORM does it",
    { type: "varchar", length: 10 },
    "varchar(50)",
    ["42", "43", "44"],
    ["a longer text than before", "8"],
  ),
  {
    name: "a dropped column's name is taken by a renamed one",
    before: { columns: { name: text, nick: text } },
    after: { columns: { name: text } },
    migration: ["alter table $t drop column name", "alter table $t rename nick to name"],
    rows: [
      { ...names[0], nick: "a" },
      { ...names[1], nick: "b" },
      { ...names[2], nick: "c" },
    ],
    past: [
      { id: 1, name: "a" },
      { id: 2, name: "b" },
      { id: 3, name: "c" },
    ],
    fresh: [
      { id: 4, name: "Joan" },
      { id: 5, name: "Kay" },
    ],
  },
];

function replaced(
  by: string,
  before: Readonly<{ type: "text" | "varchar"; length?: number }>,
  type: "int" | "text" | "varchar(50)",
  old: readonly [string, string, string],
  [first, second]: readonly [unknown, unknown],
): Kind {
  const [bare, length] = type.replace(")", "").split("(") as ["int" | "text" | "varchar", string?];
  const row = (index: number): Row => ({ id: index + 1, age: old[index] });
  return {
    name: `a column is dropped and one of its name and ${by} is added`,
    before: { columns: { age: { ...before, nullable: true } } },
    after: { columns: { age: { type: bare, nullable: true, ...(length && { length }) } } },
    migration: ["alter table $t drop column age", `alter table $t add column age ${type}`],
    rows: [row(0), row(1), row(2)],
    past: [1, 2, 3].map((id) => ({ id, age: null })),
    fresh: [
      { id: 4, age: first },
      { id: 5, age: second },
    ],
  };
}
