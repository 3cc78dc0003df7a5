import { type ColumnType, type EnumType, type Scalar, sqlOf } from "./column-types.js";
import type { Dice } from "./dice.js";
import { literal } from "./quoted.js";

const words = [
  "",
  "a",
  "b",
  "Ada King",
  "12",
  "7",
  "null",
  "it's",
  "\u00c4\u00d6",
  "2026-01-01",
  "[1]",
  "x".repeat(40),
];

/** Texts per type: some keep their text through a cast to another type and back, others do not. */
const texts: Readonly<Record<Scalar, readonly string[]>> = {
  int: ["0", "1", "7", "42", "-3", "2147483647"],
  bigint: ["0", "7", "-9007199254740993", "9007199254740993"],
  text: words,
  "varchar(3)": words.map((word) => word.slice(0, 3)),
  "varchar(9)": words.map((word) => word.slice(0, 9)),
  numeric: ["0", "1.50", "-0.001", "12.25", "99999.949", "3e2"],
  "numeric(8,1)": ["0", "1.5", "-0.1", "99999.9"],
  "numeric(12,3)": ["0", "1.500", "-0.001", "99999.949"],
  timestamp: ["2026-01-01 00:00:00", "2026-03-29 02:30:00", "1999-12-31 23:59:59.123456"],
  timestamptz: ["2026-01-01 00:00:00+00", "2026-03-29 02:30:00+02", "1999-12-31 23:59:59.123456+00"],
  json: ['{"a": 1, "a":  2}', "null", '"s"', "[1.0, null]", '{"b":{"a":"x"}, "a":"y"}'],
  jsonb: ['{"a": 1.50}', "null", '"s"', "[1.0, null]", '{"b":{"a":"x"}, "a":"y"}'],
  uuid: ["00000000-0000-4000-8000-000000000001", "ffffffff-ffff-4fff-bfff-ffffffffffff"],
  boolean: ["true", "false"],
};

/** A value of a type as an SQL expression. */
export function valueOf(type: ColumnType, enums: readonly EnumType[], dice: Dice): string {
  if (typeof type === "string") return `${literal(dice.pick(texts[type]))}::${type}`;
  const labels = enums.find(({ name }) => name === type.enumName)?.labels ?? [];
  const one = () => literal(dice.pick(labels));
  const value = type.isArray ? `array[${Array.from({ length: dice.below(3) }, one).join(", ")}]` : one();
  return `${value}::${sqlOf(type)}`;
}

/** A key's value: of few, so that keys come again, and of more than a handful, so that most inserts find a free one. */
export function keyValueOf(type: ColumnType, enums: readonly EnumType[], dice: Dice, below = 40): string {
  const number = dice.below(below);
  if (typeof type !== "string" || type === "boolean") return valueOf(type, enums, dice);
  if (type === "uuid") return `'00000000-0000-4000-8000-${String(number).padStart(12, "0")}'::uuid`;
  return `${literal(String(number))}::${type}`;
}

/** Words by which a value is found again in any table that it must not be in. */
export const marks = { sensitive: "hush-", excluded: "secret-" } as const;
