import type { ColumnOptions } from "typeorm";
import { int, type Kind, type Past, type Row, text } from "../kind.js";

const names = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Alan" },
  { id: 3, name: "Grace" },
] as const;
const before = { columns: { name: text } };
const uuid: ColumnOptions = { type: "uuid" };
const free: ColumnOptions = { ...text, default: "free" };
const tokens = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"] as const;

/** The same for every row of the past. */
const everyRow = (more: Row): Row[] => names.map((row) => ({ ...row, ...more }));

/** Values that the DDL gave to each row that was still there; nobody can know what it would have given to others. */
const asGiven =
  (columns: readonly string[], others: Row = {}): Past =>
  (after) =>
    names.map((row) => {
      const found = after.find(({ id }) => id === row.id);
      const given = Object.fromEntries(columns.map((column) => [column, found?.[column] ?? null]));
      return { ...row, ...others, ...given };
    });

function added(
  name: string,
  columns: Readonly<Record<string, ColumnOptions>>,
  migration: readonly string[],
  past: Past,
  [first, second]: readonly [Row, Row],
  more: Partial<Kind> = {},
): Kind {
  return {
    name,
    before,
    after: { columns: { ...before.columns, ...columns } },
    migration,
    rows: [...names],
    past,
    fresh: [
      { id: 4, name: "Joan", ...first },
      { id: 5, name: "Kay", ...second },
    ],
    ...more,
  };
}

/** Columns that are added, by where the values of old rows come from. */
export const addedColumns: readonly Kind[] = [
  added("a nullable column is added", { age: int }, ["alter table $t add column age int"], everyRow({ age: null }), [
    { age: 7 },
    { age: null },
  ]),
  added(
    "a nullable column with a constant default is added",
    { plan: free },
    ["alter table $t add column plan text default 'free'"],
    everyRow({ plan: "free" }),
    [{ plan: "gold" }, { plan: null }],
  ),
  added(
    "a column that is not null with a constant default is added",
    { plan: { type: "text", default: "free" } },
    ["alter table $t add column plan text not null default 'free'"],
    everyRow({ plan: "free" }),
    [{ plan: "gold" }, { plan: "free" }],
  ),
  added(
    "a column with the time of the migration as default is added",
    { made: { type: "timestamptz", default: () => "now()" } },
    ["alter table $t add column made timestamptz not null default now()"],
    (after) => everyRow({ made: after[0]?.["made"] }),
    [{ made: "2026-02-01T00:00:00+00:00" }, { made: "2026-02-02T00:00:00+00:00" }],
  ),
  added(
    "a column with a volatile default is added",
    { token: { ...uuid, default: () => "gen_random_uuid()" } },
    ["alter table $t add column token uuid not null default gen_random_uuid()"],
    asGiven(["token"]),
    [{ token: tokens[0] }, { token: tokens[1] }],
    { doesNotFit: true, unseenFills: ["token"] },
  ),
  added(
    "a column is added whose default is dropped at once",
    { plan: { type: "text" } },
    ["alter table $t add column plan text not null default 'free'", "alter table $t alter column plan drop default"],
    everyRow({ plan: "free" }),
    [{ plan: "gold" }, { plan: "free" }],
  ),
  added(
    "a column is added whose default is another one a moment later",
    { plan: { ...text, default: "gold" } },
    ["alter table $t add column plan text default 'free'", "alter table $t alter column plan set default 'gold'"],
    everyRow({ plan: "free" }),
    [{ plan: "gold" }, { plan: null }],
  ),
  added(
    "a column with a constant is added, and then one with a volatile default, which rewrites the table",
    { plan: free, token: { ...uuid, nullable: true, default: () => "gen_random_uuid()" } },
    [
      "alter table $t add column plan text default 'free'",
      "alter table $t add column token uuid default gen_random_uuid()",
    ],
    // The constant is gone from the catalog: only rows tell of it, so a row that is gone has no value.
    asGiven(["plan", "token"]),
    [
      { plan: "gold", token: tokens[0] },
      { plan: null, token: null },
    ],
    { isQuiet: true, unseenFills: ["plan", "token"] },
  ),
  added(
    "a column with a constant is added and the table rewritten by VACUUM FULL",
    { plan: free },
    ["alter table $t add column plan text default 'free'", "vacuum full $t"],
    asGiven(["plan"]),
    [{ plan: "gold" }, { plan: null }],
    { isQuiet: true, unseenFills: ["plan"] },
  ),
  added(
    "a column with a constant is added and another one retyped, which rewrites the table",
    { name: { type: "varchar", length: 50, nullable: true }, plan: free },
    ["alter table $t add column plan text default 'free'", "alter table $t alter column name type varchar(50)"],
    asGiven(["plan"]),
    [{ plan: "gold" }, { plan: null }],
    { isQuiet: true, unseenFills: ["plan"] },
  ),
  added(
    "a column is added, filled by an UPDATE and made not null",
    { initial: { type: "text" } },
    [
      "alter table $t add column initial text",
      "update $t set initial = left(name, 1)",
      "alter table $t alter column initial set not null",
    ],
    // No DDL gave these values.
    everyRow({ initial: null }),
    [{ initial: "J" }, { initial: "K" }],
    { doesNotFit: true },
  ),
  added(
    "a generated column is added",
    { loud: { ...text, asExpression: "upper(name)", generatedType: "STORED" } },
    ["alter table $t add column loud text generated always as (upper(name)) stored"],
    names.map((row) => ({ ...row, loud: row.name.toUpperCase() })),
    [{}, {}],
  ),
];
