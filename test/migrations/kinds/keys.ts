import { int, type Kind, type Row, text } from "../kind.js";

const columns = { name: text };
const names = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Alan" },
  { id: 3, name: "Grace" },
] as const;
const fresh = [
  { id: 4, name: "Joan" },
  { id: 5, name: "Kay" },
] as const;
const dropKey =
  "do $do$ begin execute (select format('alter table $t drop constraint %I', conname) from pg_constraint where conrelid = '$t'::regclass and contype = 'p'); end $do$";
const uuidOf = (id: unknown): string => `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`;
const composite = (key: readonly string[]) => ({
  key: Object.fromEntries(key.map((name) => [name, { type: "int" as const }])),
  columns,
});

/** Primary keys. */
export const keys: readonly Kind[] = [
  {
    name: "the key is renamed",
    before: { columns },
    after: { key: { person_id: { type: "int" } }, columns },
    migration: ["alter table $t rename id to person_id"],
    rows: [...names],
    past: names.map(({ id: person_id, name }) => ({ person_id, name })),
    keyAfter: ({ id: person_id, ...rest }) => ({ person_id, ...rest }),
    fresh: [
      { person_id: 4, name: "Joan" },
      { person_id: 5, name: "Kay" },
    ],
  },
  {
    name: "the key becomes bigint",
    before: { columns },
    after: { key: { id: { type: "bigint" } }, columns },
    migration: ["alter table $t alter column id type bigint"],
    rows: [...names],
    past: [...names],
    fresh,
  },
  {
    name: "the key becomes text",
    before: { columns },
    after: { key: { id: { type: "text" } }, columns },
    migration: ["alter table $t alter column id type text"],
    rows: [...names],
    past: names.map((row) => ({ ...row, id: String(row.id) })),
    keyAfter: (row) => ({ ...row, id: String(row["id"]) }),
    fresh: [
      { id: "four", name: "Joan" },
      { id: "5", name: "Kay" },
    ],
  },
  {
    name: "the key becomes a uuid by an expression",
    before: { columns },
    after: { key: { id: { type: "uuid" } }, columns },
    migration: [
      "alter table $t alter column id type uuid using ('00000000-0000-4000-8000-' || lpad(id::text, 12, '0'))::uuid",
    ],
    rows: [...names],
    past: names.map((row) => ({ ...row, id: uuidOf(row.id) })),
    mayRefuse: true,
    keyAfter: (row) => ({ ...row, id: uuidOf(row["id"]) }),
    fresh: [
      { id: uuidOf(4), name: "Joan" },
      { id: uuidOf(5), name: "Kay" },
    ],
  },
  {
    name: "every key becomes another one of the same type",
    before: { columns },
    after: { columns },
    migration: ["alter table $t alter column id type int using id + 100"],
    rows: [...names],
    // Which of them became which, nobody can know: the past has the keys that records had.
    past: [...names],
    mayRefuse: true,
    keyAfter: (row) => ({ ...row, id: Number(row["id"]) + 100 }),
    fresh: [
      { id: 1, name: "Joan" },
      { id: 205, name: "Kay" },
    ],
    isStale: false,
  },
  {
    name: "another column becomes the key",
    before: { columns: { code: { type: "text" }, name: text } },
    after: { key: { code: { type: "text" } }, columns: { id: int, name: text } },
    migration: [dropKey, "alter table $t add primary key (code), alter column id drop not null"],
    rows: [
      { ...names[0], code: "a" },
      { ...names[1], code: "b" },
      { ...names[2], code: "c" },
    ],
    edit: { name: "Augusta" },
    past: [
      { ...names[0], code: "a" },
      { ...names[1], code: "b" },
      { ...names[2], code: "c" },
    ],
    mayRefuse: true,
    fresh: [
      { code: "d", id: null, name: "Joan" },
      { code: "e", id: 1, name: "Kay" },
    ],
    isStale: false,
  },
  {
    name: "a composite key is given in another order",
    before: composite(["a", "b"]),
    after: composite(["b", "a"]),
    migration: [dropKey, "alter table $t add primary key (b, a)"],
    rows: pairs([1, 2], [2, 1], [3, 3]),
    past: pairs([1, 2], [2, 1], [3, 3]),
    fresh: [
      { a: 1, b: 4, name: "Joan" },
      { a: 4, b: 1, name: "Kay" },
    ],
    isStale: false,
  },
  {
    name: "the two columns of a key swap names",
    before: composite(["a", "b"]),
    after: composite(["a", "b"]),
    migration: ["alter table $t rename a to x", "alter table $t rename b to a", "alter table $t rename x to b"],
    rows: pairs([1, 2], [2, 3], [3, 3]),
    past: pairs([2, 1], [3, 2], [3, 3]),
    keyAfter: ({ a, b, ...rest }) => ({ ...rest, a: b, b: a }),
    fresh: [
      { a: 1, b: 2, name: "Joan" },
      { a: 4, b: 1, name: "Kay" },
    ],
  },
  {
    name: "a column is added to the key",
    before: { columns },
    after: { key: { id: { type: "int" }, region: { type: "text" } }, columns },
    migration: [
      "alter table $t add column region text not null default 'eu'",
      dropKey,
      "alter table $t add primary key (id, region)",
    ],
    rows: [...names],
    past: names.map((row) => ({ ...row, region: "eu" })),
    keyAfter: (row) => ({ ...row, region: "eu" }),
    fresh: [
      { id: 1, region: "us", name: "Joan" },
      { id: 5, region: "eu", name: "Kay" },
    ],
  },
];

function pairs(...given: readonly [readonly [number, number], readonly [number, number], readonly [number, number]]) {
  const [first, second, third] = given.map(([a, b], index): Row => ({ a, b, name: names[index]?.name }));
  return [first, second, third] as [Row, Row, Row];
}
