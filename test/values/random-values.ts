import fc from "fast-check";
import { dictionary } from "./dictionary.js";

/** A value as a text that PostgreSQL may read as its type, or refuse. */
export interface RandomValue {
  readonly type: string;
  readonly value: string;
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...Array.from(" \\\"'{}(),\t\n\r\0%$/*")), maxLength: 12 }),
);

/** Digits of any length, on both sides of a point, with an exponent or not. */
const decimal = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.stringMatching(/^[0-9]{1,40}$/),
    fc.option(fc.stringMatching(/^[0-9]{1,40}$/)),
    fc.option(fc.integer({ min: -300, max: 300 }), { freq: 3 }),
  )
  .map(([sign, whole, part, exponent]) => sign + whole + (part ? `.${part}` : "") + (exponent ? `e${exponent}` : ""));

const float = fc.double().map((value) => (Object.is(value, -0) ? "-0" : String(value)));
const number = (digits: number) => (value: number) => String(value).padStart(digits, "0");

const day = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 31 }))
  .map(([year, month, day]) => `${number(4)(year)}-${number(2)(month)}-${number(2)(day)}`);
const hour = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.nat(999_999))
  .map(([hours, minutes, seconds, part]) => `${[hours, minutes, seconds].map(number(2)).join(":")}.${number(6)(part)}`);
const offset = fc
  .tuple(fc.constantFrom("+", "-"), fc.nat(15), fc.nat(59))
  .map(([sign, hours, minutes]) => `${sign}${number(2)(hours)}:${number(2)(minutes)}`);
const instant = fc
  .tuple(day, hour, fc.constantFrom("", "", " BC"))
  .map((parts) => `${parts[0]} ${parts[1]}${parts[2]}`);

const json = fc.oneof(
  fc.json({ maxDepth: 6, stringUnit: "binary" }),
  // Digits that no JavaScript number holds, and keys that are there twice.
  fc.array(decimal.filter((digits) => !/^-?0[0-9]/.test(digits))).map((list) => `[ ${list.join(" ,")}]`),
  fc
    .array(
      fc.tuple(
        text,
        decimal.map((digits) => digits.replace(/^(-?)0+(?=[0-9])/, "$1")),
      ),
      { maxLength: 4 },
    )
    .map((pairs) => `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(" , ")}}`),
);

const quoted = (value: string) => `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
const array = (element: fc.Arbitrary<string>) =>
  fc.array(fc.option(element), { maxLength: 6 }).map((list) => `{${list.map((one) => one ?? "NULL").join(",")}}`);

const bytes = fc.uint8Array({ maxLength: 40 }).map((given) => `\\x${Buffer.from(given).toString("hex")}`);
const integer = (bits: number) =>
  fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n }).map(String);

const made: Readonly<Record<string, fc.Arbitrary<string>>> = {
  text,
  "character varying(20)": text,
  "character(5)": fc.string({ maxLength: 5 }),
  citext: text,
  smallint: integer(16),
  integer: integer(32),
  bigint: integer(64),
  numeric: decimal,
  "numeric(12, 4)": decimal,
  real: float,
  "double precision": float,
  bytea: bytes,
  json,
  jsonb: json,
  document: json,
  paper: json,
  hstore: fc
    .array(fc.tuple(text, fc.option(text)), { maxLength: 4 })
    .map((pairs) =>
      pairs.map(([key, value]) => `${quoted(key)}=>${value === null ? "NULL" : quoted(value)}`).join(","),
    ),
  date: day,
  time: hour,
  timestamp: instant,
  "timestamp with time zone": fc
    .tuple(day, hour, offset, fc.constantFrom("", "", " BC"))
    .map(([date, time, zone, era]) => `${date} ${time}${zone}${era}`),
  interval: fc
    .tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -999, max: 999 }), hour)
    .map(([months, days, time]) => `${months} mons ${days} days ${time}`),
  pair: fc.tuple(integer(32), text).map(([one, two]) => `(${one},${quoted(two)})`),
  "text[]": array(text.map(quoted)),
  "integer[]": array(integer(32)),
  "bigint[]": array(integer(64)),
  "numeric[]": array(decimal),
  "double precision[]": array(float),
  "json[]": array(json.map(quoted)),
  "jsonb[]": array(json.map(quoted)),
  "bytea[]": array(bytes.map(quoted)),
  tstzrange: fc.tuple(instant, instant).map(([from, to]) => `["${from}","${to}")`),
  numrange: fc.tuple(decimal, decimal).map(([from, to]) => `[${from},${to}]`),
  "bit varying": fc.stringMatching(/^[01]{0,70}$/),
  point: fc.tuple(float, float).map(([x, y]) => `(${x},${y})`),
  uuid: fc.uuid(),
  inet: fc.oneof(fc.ipV4Extended(), fc.ipV6(), fc.ipV4()),
};

/** Random values of the types that have many, and those of the dictionary. */
export const randomValue: fc.Arbitrary<RandomValue> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .constantFrom(...Object.entries(made))
      .chain(([type, values]) => values.map((value) => ({ type, value }))),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...Object.entries(dictionary).flatMap(([type, values]) => values.map((value) => ({ type, value }))),
    ),
  },
);
