import type { ColumnOptions, ColumnType } from "typeorm";
import type { Kind, Row } from "../kind.js";

type Three = readonly [unknown, unknown, unknown];

/** A column v of another type. `old`, `past` and `fresh` are its values. */
function retyped(
  name: string,
  [before, after]: readonly [ColumnType | ColumnOptions, ColumnType | ColumnOptions],
  using: string,
  {
    old,
    past,
    fresh,
    ...more
  }: Pick<Kind, "mayRefuse" | "isStale"> & {
    readonly old: Three;
    readonly past: Three;
    readonly fresh: readonly [unknown, unknown];
  },
): Kind {
  const column = (type: ColumnType | ColumnOptions): ColumnOptions => ({
    ...(typeof type === "object" && "type" in type ? type : { type: type as ColumnType }),
    nullable: true,
  });
  const row = (id: number, v: unknown): Row => ({ id, v });
  const rows = (values: Three): [Row, Row, Row] => [row(1, values[0]), row(2, values[1]), row(3, values[2])];
  return {
    name,
    before: { columns: { v: column(before) } },
    after: { columns: { v: column(after) } },
    migration: [`alter table $t alter column v type ${using}`],
    rows: rows(old),
    past: rows(past),
    fresh: [row(4, fresh[0]), row(5, fresh[1])],
    ...more,
  };
}

/** Types that change by the cast that PostgreSQL has for it. */
export const cast: readonly Kind[] = [
  retyped("int becomes bigint", ["int", "bigint"], "bigint", { old: [1, 2, null], past: [1, 2, null], fresh: [3, 4] }),
  retyped("int becomes text", ["int", "text"], "text", {
    old: [1, -2, null],
    past: ["1", "-2", null],
    fresh: ["three", null],
  }),
  retyped(
    "a text gets a longer limit",
    [
      { type: "varchar", length: 10 },
      { type: "varchar", length: 50 },
    ],
    "varchar(50)",
    {
      old: ["a", " b", ""],
      past: ["a", " b", ""],
      fresh: ["longer than it was", null],
    },
  ),
  retyped("a text loses its limit", [{ type: "varchar", length: 50 }, "text"], "text", {
    old: ["a", " b", ""],
    past: ["a", " b", ""],
    fresh: ["c", null],
  }),
  retyped(
    "a text gets a shorter limit, which only history breaks",
    ["text", { type: "varchar", length: 4 }],
    "varchar(4)",
    {
      old: ["a long text", "b", "c"],
      // TypeORM's own `using v::varchar(4)` would cut; a value of the past is either cut in the same way or refused.
      past: ["a lo", "b", "c"],
      mayRefuse: true,
      fresh: ["four", null],
    },
  ),
  retyped("a date becomes a timestamp", ["date", "timestamp"], "timestamp", {
    old: ["2026-01-01", "2025-07-01", null],
    past: ["2026-01-01T00:00:00", "2025-07-01T00:00:00", null],
    fresh: ["2026-03-01T12:30:00", null],
  }),
  retyped("jsonb becomes json", ["jsonb", "json"], "json", {
    old: [{ b: 1, a: [1.5, null] }, "text", null],
    past: [{ b: 1, a: [1.5, null] }, "text", null],
    fresh: [{ z: 1, y: 2 }, null],
  }),
  retyped("json becomes jsonb", ["json", "jsonb"], "jsonb", {
    old: [{ b: 1, a: [1.5, null] }, "text", null],
    past: [{ b: 1, a: [1.5, null] }, "text", null],
    fresh: [{ z: 1, y: 2 }, null],
  }),
  retyped(
    "a numeric gets fewer decimals, which rounds",
    [
      { type: "numeric", precision: 10, scale: 2 },
      { type: "numeric", precision: 10, scale: 1 },
    ],
    "numeric(10, 1)",
    { old: [1.25, 2.5, 3.14], past: [1.3, 2.5, 3.1], fresh: [4.5, null] },
  ),
  retyped(
    "a numeric gets more decimals",
    [
      { type: "numeric", precision: 10, scale: 1 },
      { type: "numeric", precision: 10, scale: 3 },
    ],
    "numeric(10, 3)",
    { old: [1.5, 2, null], past: [1.5, 2, null], fresh: [4.125, null] },
  ),
];

/** Types that change by an expression, and values that do under the same type. */
export const byExpression: readonly Kind[] = [
  retyped("a text becomes its length", ["text", "int"], "int using length(v)", {
    old: ["abc", "de", "f"],
    past: [3, 2, 1],
    mayRefuse: true,
    fresh: [7, null],
  }),
  retyped("a text is written in capitals", ["text", "text"], "text using upper(v)", {
    old: ["abc", "de", "f"],
    past: ["abc", "de", "f"],
    fresh: ["x", null],
    isStale: false,
  }),
  retyped(
    "a timestamp becomes one with a zone",
    ["timestamp", "timestamptz"],
    "timestamptz using v at time zone 'Europe/Berlin'",
    {
      old: ["2026-01-01T00:00:00", "2026-07-01T00:00:00", null],
      past: ["2025-12-31T23:00:00+00:00", "2026-06-30T22:00:00+00:00", null],
      mayRefuse: true,
      fresh: ["2026-03-01T12:30:00+00:00", null],
    },
  ),
  retyped("minutes become an interval", ["int", "interval"], "interval using make_interval(mins => v)", {
    old: [60, 90, null],
    past: ["01:00:00", "01:30:00", null],
    mayRefuse: true,
    fresh: ["1 day", null],
  }),
  retyped("seconds become an interval", ["int", "interval"], "interval using make_interval(secs => v)", {
    old: [60, 3600, null],
    past: ["00:01:00", "01:00:00", null],
    mayRefuse: true,
    fresh: ["1 day", null],
  }),
];
