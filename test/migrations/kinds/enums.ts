import type { ColumnOptions } from "typeorm";
import type { Kind } from "../kind.js";

const st = (labels: readonly string[], more: ColumnOptions = {}): ColumnOptions => ({
  type: "enum",
  enum: [...labels],
  enumName: "$t_st",
  nullable: true,
  ...more,
});
const swap = [
  "alter type $t_st rename value 'a' to 'x'",
  "alter type $t_st rename value 'b' to 'a'",
  "alter type $t_st rename value 'x' to 'b'",
];
const remade = (labels: string, cast = "$t_st") => [
  "alter type $t_st rename to $t_st_old",
  `create type $t_st as enum (${labels})`,
  `alter table $t alter column s type ${cast} using s::text::${cast}`,
  "drop type $t_st_old",
];
const abc = ["a", "b", "c"];
const rows = [
  { id: 1, s: "a" },
  { id: 2, s: "b" },
  { id: 3, s: null },
] as const;
const inNew = (first: unknown, second: unknown) =>
  [
    { id: 4, s: first },
    { id: 5, s: second },
  ] as const;

/** Labels of enums. */
export const enums: readonly Kind[] = [
  {
    name: "an enum's label is renamed",
    before: { columns: { s: st(abc) } },
    after: { columns: { s: st(["x", "b", "c"]) } },
    migration: ["alter type $t_st rename value 'a' to 'x'"],
    rows: [...rows],
    past: [{ id: 1, s: "x" }, rows[1], rows[2]],
    fresh: inNew("x", "c"),
  },
  {
    name: "two labels of an enum swap names",
    before: { columns: { s: st(abc) } },
    after: { columns: { s: st(abc) } },
    migration: swap,
    rows: [...rows],
    past: [{ id: 1, s: "b" }, { id: 2, s: "a" }, rows[2]],
    fresh: inNew("a", "c"),
  },
  {
    name: "a label is renamed in an array of an enum",
    before: { columns: { s: st(abc, { array: true }) } },
    after: { columns: { s: st(["x", "b", "c"], { array: true }) } },
    migration: ["alter type $t_st rename value 'a' to 'x'"],
    rows: [
      { id: 1, s: ["a", "b"] },
      { id: 2, s: [] },
      { id: 3, s: ["a"] },
    ],
    past: [
      { id: 1, s: ["x", "b"] },
      { id: 2, s: [] },
      { id: 3, s: ["x"] },
    ],
    fresh: inNew(["x", "c"], null),
  },
  {
    name: "a label is renamed that a key has",
    before: {
      key: { id: { type: "int" }, s: st(abc, { nullable: false }) },
      columns: { note: { type: "text", nullable: true } },
    },
    after: {
      key: { id: { type: "int" }, s: st(["x", "b", "c"], { nullable: false }) },
      columns: { note: { type: "text", nullable: true } },
    },
    migration: ["alter type $t_st rename value 'a' to 'x'"],
    rows: [
      { id: 1, s: "a", note: "one" },
      { id: 1, s: "b", note: "two" },
      { id: 3, s: "a", note: null },
    ],
    past: [
      { id: 1, s: "x", note: "one" },
      { id: 1, s: "b", note: "two" },
      { id: 3, s: "x", note: null },
    ],
    mayRefuse: true, // to an older process: the key that it asks for is not a value of the type any more
    keyAfter: (row) => ({ ...row, s: row["s"] === "a" ? "x" : row["s"] }),
    fresh: [
      { id: 4, s: "x", note: "four" },
      { id: 5, s: "c", note: null },
    ],
  },
  {
    name: "an enum gets one label more",
    before: { columns: { s: st(abc) } },
    after: { columns: { s: st([...abc, "d"]) } },
    migration: ["alter type $t_st add value 'd'"],
    rows: [...rows],
    past: [...rows],
    fresh: inNew("d", "c"),
    isStale: false,
  },
  {
    name: "an enum is made again with one label more, as TypeORM does it",
    before: { columns: { s: st(abc) } },
    after: { columns: { s: st([...abc, "d"]) } },
    migration: remade("'a', 'b', 'c', 'd'"),
    rows: [...rows],
    past: [...rows],
    fresh: inNew("d", "c"),
    isStale: false,
  },
  {
    name: "an enum is made again without a label that only history has",
    before: { columns: { s: st(abc) } },
    after: { columns: { s: st(["a", "b"]) } },
    migration: remade("'a', 'b'"),
    rows: [{ id: 1, s: "c" }, rows[1], { id: 3, s: "c" }],
    past: "refused",
    fresh: inNew("a", null),
    isStale: false,
  },
  {
    name: "an enum array is made again without a label that only history has",
    before: { columns: { s: st(abc, { array: true }) } },
    after: { columns: { s: st(["a", "b"], { array: true }) } },
    migration: remade("'a', 'b'", "$t_st[]"),
    rows: [
      { id: 1, s: ["c"] },
      { id: 2, s: ["a", "b"] },
      { id: 3, s: ["b", "c"] },
    ],
    past: "refused",
    fresh: inNew(["a"], null),
    isStale: false,
  },
  {
    name: "an enum becomes text",
    before: { columns: { s: st(abc) } },
    after: { columns: { s: { type: "text", nullable: true } } },
    migration: ["alter table $t alter column s type text", "drop type $t_st"],
    rows: [...rows],
    past: [...rows],
    fresh: inNew("anything", null),
  },
];
