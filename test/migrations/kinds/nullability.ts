import { type Kind, text } from "../kind.js";

const name = { columns: { name: text } };
const names = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Alan" },
  { id: 3, name: "Grace" },
] as const;
/** Columns that become nullable, or no longer are. */
export const nullability: readonly Kind[] = [
  {
    name: "a column becomes nullable",
    before: { columns: { name: { type: "text" } } },
    after: name,
    migration: ["alter table $t alter column name drop not null"],
    rows: [...names],
    past: [...names],
    fresh: [
      { id: 4, name: null },
      { id: 5, name: "Kay" },
    ],
    isStale: false,
  },
  {
    name: "a column becomes not null, when only history has a null",
    before: name,
    after: { columns: { name: { type: "text" } } },
    migration: ["alter table $t alter column name set not null"],
    rows: [{ id: 1, name: null }, names[1], names[2]],
    past: [{ id: 1, name: null }, names[1], names[2]],
    doesNotFit: true,
    fresh: [
      { id: 4, name: "Joan" },
      { id: 5, name: "Kay" },
    ],
    isStale: false,
  },
  {
    name: "a column gets another default, which old rows do not have",
    before: { columns: { name: text, plan: text } },
    after: { columns: { name: text, plan: { ...text, default: "free" } } },
    migration: ["alter table $t alter column plan set default 'free'"],
    rows: [
      { ...names[0], plan: null },
      { ...names[1], plan: "gold" },
      { ...names[2], plan: null },
    ],
    past: [
      { ...names[0], plan: null },
      { ...names[1], plan: "gold" },
      { ...names[2], plan: null },
    ],
    fresh: [
      { id: 4, name: "Joan", plan: null },
      { id: 5, name: "Kay", plan: "free" },
    ],
    isStale: false,
  },
];
