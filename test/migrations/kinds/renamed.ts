import { int, type Kind, text } from "../kind.js";

const name = { columns: { name: text } };
const names = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Alan" },
  { id: 3, name: "Grace" },
] as const;
const pair = { columns: { a: text, b: text } };

/** Columns that are renamed. */
export const renamed: readonly Kind[] = [
  {
    name: "a column is renamed",
    before: name,
    after: { columns: { full_name: text } },
    migration: ["alter table $t rename name to full_name"],
    rows: [...names],
    past: names.map(({ id, name: full_name }) => ({ id, full_name })),
    fresh: [
      { id: 4, full_name: "Joan" },
      { id: 5, full_name: "Kay" },
    ],
  },
  {
    name: "two columns swap names",
    before: pair,
    after: pair,
    migration: ["alter table $t rename a to x", "alter table $t rename b to a", "alter table $t rename x to b"],
    rows: [
      { id: 1, a: "a1", b: "b1" },
      { id: 2, a: "a2", b: "b2" },
      { id: 3, a: "a3", b: null },
    ],
    past: [
      { id: 1, a: "b1", b: "a1" },
      { id: 2, a: "b2", b: "a2" },
      { id: 3, a: null, b: "a3" },
    ],
    fresh: [
      { id: 4, a: "a4", b: "b4" },
      { id: 5, a: "a5", b: "b5" },
    ],
  },
  {
    name: "three columns rotate names",
    before: { columns: { a: text, b: text, c: int } },
    after: { columns: { a: int, b: text, c: text } },
    migration: [
      "alter table $t rename a to x",
      "alter table $t rename c to a",
      "alter table $t rename b to c",
      "alter table $t rename x to b",
    ],
    rows: [
      { id: 1, a: "a1", b: "b1", c: 1 },
      { id: 2, a: "a2", b: "b2", c: 2 },
      { id: 3, a: "a3", b: "b3", c: null },
    ],
    past: [
      { id: 1, a: 1, b: "a1", c: "b1" },
      { id: 2, a: 2, b: "a2", c: "b2" },
      { id: 3, a: null, b: "a3", c: "b3" },
    ],
    fresh: [
      { id: 4, a: 4, b: "b4", c: "c4" },
      { id: 5, a: 5, b: "b5", c: "c5" },
    ],
  },
];
