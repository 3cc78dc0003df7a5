import { type Kind, type Row, text } from "../kind.js";

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

/** Tables that move, or whose place another one takes. */
export const tables: readonly Kind[] = [
  {
    name: "a table is renamed",
    before: { columns },
    after: { columns, table: "$t_now" },
    migration: ["alter table $t rename to $t_now"],
    rows: [...names],
    past: [...names],
    fresh,
  },
  {
    name: "a table is moved to another schema",
    before: { columns },
    after: { columns, schema: "archive" },
    migration: ["create schema if not exists archive", "alter table $t set schema archive"],
    rows: [...names],
    past: [...names],
    fresh,
  },
  {
    name: "a table is renamed and so is a column",
    before: { columns },
    after: { columns: { full_name: text }, table: "$t_now" },
    migration: ["alter table $t rename to $t_now", "alter table $t_now rename name to full_name"],
    rows: [...names],
    past: names.map(({ id, name: full_name }) => ({ id, full_name })),
    fresh: fresh.map(({ id, name: full_name }) => ({ id, full_name })) as unknown as readonly [Row, Row],
  },
  {
    name: "a table is dropped and made again with other rows",
    before: { columns },
    after: { columns },
    migration: [
      "drop table $t",
      "create table $t (name text, id int primary key)",
      "insert into $t (id, name) values (1, 'Ada again'), (2, 'Alan again'), (7, 'Edsger')",
    ],
    rows: [...names],
    past: [...names],
    fresh,
  },
  {
    name: "a table is copied to a new one that takes its name",
    before: { columns },
    after: { columns: { name: text, plan: { ...text, default: "free" } } },
    migration: [
      "create table $t_new (plan text default 'free', id int primary key, name text)",
      "insert into $t_new (id, name) select id, name from $t",
      "drop table $t",
      "alter table $t_new rename to $t",
    ],
    rows: [...names],
    // No ALTER gave older rows a value: what the new table holds, an UPDATE may have written.
    isQuiet: true,
    past: names.map((row) => ({ ...row, plan: null })),
    fresh: [
      { id: 4, name: "Joan", plan: "gold" },
      { id: 5, name: "Kay", plan: null },
    ],
  },
];
