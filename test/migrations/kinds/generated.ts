import { type Kind, text } from "../kind.js";

const names = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Alan" },
  { id: 3, name: "Grace" },
] as const;
const withLoud = {
  columns: { name: text, loud: { ...text, asExpression: "upper(name)", generatedType: "STORED" as const } },
};
const ordinary = { columns: { name: text, loud: text } };

/** Generated columns that become ordinary, and the other way round. */
export const generated: readonly Kind[] = [
  {
    name: "a generated column becomes an ordinary one",
    before: withLoud,
    after: ordinary,
    create: ["create table $t (id int primary key, name text, loud text generated always as (upper(name)) stored)"],
    migration: ["alter table $t alter column loud drop expression"],
    rows: [...names],
    isQuiet: true,
    isStale: false,
    past: names.map((row) => ({ ...row, loud: row.name.toUpperCase() })),
    fresh: [
      { id: 4, name: "Joan", loud: "quiet" },
      { id: 5, name: "Kay", loud: null },
    ],
  },
  {
    name: "an ordinary column is replaced by a generated one",
    before: ordinary,
    after: withLoud,
    migration: [
      "alter table $t drop column loud",
      "alter table $t add column loud text generated always as (upper(name)) stored",
    ],
    rows: [
      { ...names[0], loud: "a" },
      { ...names[1], loud: "b" },
      { ...names[2], loud: null },
    ],
    past: names.map((row) => ({ ...row, loud: row.name.toUpperCase() })),
    fresh: [
      { id: 4, name: "Joan" },
      { id: 5, name: "Kay" },
    ],
  },
];
