import { type Kind, type Row, text } from "../kind.js";

const rows: [Row, Row, Row] = [
  { id: 1, name: "Ada", owner: "o1" },
  { id: 2, name: "Alan", owner: "o2" },
  { id: 3, name: "Grace", owner: "o1" },
];
const owned = { name: text, owner: text };
const renamed = (row: Row): Row => {
  const { owner, ...rest } = row;
  return { ...rest, holder: owner };
};
const fresh: readonly [Row, Row] = [
  { id: 4, name: "Joan", owner: "o3" },
  { id: 5, name: "Kay", owner: null },
];
const held = { name: text, holder: text };
const migration = ["alter table $t rename owner to holder"];
const freshHeld: readonly [Row, Row] = [renamed(fresh[0]), renamed(fresh[1])];

/** Columns that capture knows something about. */
export const marks: readonly Kind[] = [
  {
    name: "a sensitive column is renamed",
    before: { columns: owned, sensitive: ["owner"] },
    after: { columns: held, sensitive: ["holder"] },
    migration,
    rows,
    past: rows.map(renamed),
    fresh: freshHeld,
  },
  {
    name: "a column becomes sensitive",
    before: { columns: owned },
    after: { columns: owned, sensitive: ["owner"] },
    migration: [],
    rows,
    past: rows,
    fresh,
    isStale: false,
  },
  {
    name: "a sensitive column becomes an ordinary one",
    before: { columns: owned, sensitive: ["owner"] },
    after: { columns: owned },
    migration: [],
    rows,
    past: rows,
    fresh,
    isStale: false,
  },
  {
    name: "a sensitive and a plain column swap names",
    before: { columns: owned, sensitive: ["owner"] },
    after: { columns: owned, sensitive: ["name"] },
    migration: [
      "alter table $t rename owner to x",
      "alter table $t rename name to owner",
      "alter table $t rename x to name",
    ],
    rows,
    past: rows.map((row) => ({ ...row, name: row["owner"], owner: row["name"] })),
    fresh,
  },
  {
    name: "the tenant's column is renamed",
    before: { columns: owned, tracked: { tenant: "owner" } },
    after: { columns: held, tracked: { tenant: "holder" } },
    migration,
    rows,
    past: rows.map(renamed),
    fresh: freshHeld,
  },
  {
    name: "the column of soft deletion is renamed",
    before: { columns: { name: text, gone: { type: "timestamptz", nullable: true } }, deleteDate: "gone" },
    after: { columns: { name: text, deleted_at: { type: "timestamptz", nullable: true } }, deleteDate: "deleted_at" },
    migration: ["alter table $t rename gone to deleted_at"],
    rows: [
      { id: 1, name: "Ada", gone: null },
      { id: 2, name: "Alan", gone: null },
      { id: 3, name: "Grace", gone: null },
    ],
    past: [
      { id: 1, name: "Ada", deleted_at: null },
      { id: 2, name: "Alan", deleted_at: null },
      { id: 3, name: "Grace", deleted_at: null },
    ],
    fresh: [
      { id: 4, name: "Joan", deleted_at: null },
      { id: 5, name: "Kay", deleted_at: "2026-02-01T00:00:00+00:00" },
    ],
  },
];
