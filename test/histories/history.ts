import fc from "fast-check";
import type { SampleValues, Write } from "./paths/path.js";
import { outOfReach, paths, recorded, statements } from "./paths/index.js";
import type { HistoryCapture } from "./world.js";

/** Who and why, as a history gives it; what is undefined is not said. */
export interface Who {
  readonly actor: { readonly type: string; readonly id: string; readonly name: string | null } | null;
  readonly tenant: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Writes whose effects are kept or taken back together, within a transaction. */
export interface Savepoint {
  readonly kind: "savepoint";
  readonly writes: readonly Write[];
  readonly keep: boolean;
}

export interface Transaction {
  readonly kind: "transaction";
  readonly who: Who;
  readonly parts: readonly (Write | Savepoint)[];
  readonly keep: boolean;
  /** By commands of its own in place of TypeORM's, which then sends statements only. */
  readonly raw: boolean;
  readonly isolation: "READ COMMITTED" | "REPEATABLE READ" | "SERIALIZABLE";
  /** Taken back once and run again on the same connection. */
  readonly retried: boolean;
}

export type Step =
  | { readonly kind: "write"; readonly who: Who; readonly write: Write }
  | Transaction
  | { readonly kind: "abreast"; readonly transactions: readonly [Transaction, Transaction] }
  | { readonly kind: "moment" }
  | { readonly kind: "release" }
  | { readonly kind: "replay" }
  | { readonly kind: "rewind"; readonly to: number };

export type History = readonly Step[];

/** What PostgreSQL keeps as text: no NUL, no half of a pair. */
const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  {
    weight: 2,
    arbitrary: fc.string({ unit: "binary", maxLength: 8 }).map((given) => given.replaceAll("\0", "")),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "  blanks at both ends ",
      "null",
      "NULL",
      "{}",
      `'; drop table person; --`,
      `"quoted" \\ back`,
      "$1 %s %1$L",
      "/*chronicle:bm8=*/",
      "__proto__",
      "\u{1F9D9}\u200D\u2642\uFE0F",
      "x".repeat(3000),
    ),
  },
);

const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: null });

const document = fc
  .letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(null, true, false, 0, -1, 1.5, 1e21, 2 ** 53),
      text,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.oneof(text, fc.constantFrom("constructor", "__proto__", "a", "")), tie("value"), { maxKeys: 3 }),
    ),
  }))
  .value.filter((value) => value !== null);

const numeric = fc.oneof(
  fc.constantFrom(
    "NaN",
    "Infinity",
    "-Infinity",
    "0.0",
    "1.10",
    "-0.000",
    "9007199254740993.000000000000000001",
    "1e400",
  ),
  fc.integer().map(String),
);

const sample: fc.Arbitrary<SampleValues> = fc.record({
  text: nullable(text),
  json: nullable(document.map((value) => (typeof value === "string" ? [value] : value))),
  jsonb: nullable(document.map((value) => (typeof value === "string" ? [value] : value))),
  texts: nullable(fc.array(text, { maxLength: 4 })),
  floats: nullable(fc.array(fc.double({ noDefaultInfinity: true }), { maxLength: 4 })),
  numeric: nullable(numeric),
  float: nullable(fc.oneof(fc.double(), fc.constantFrom("-0", "NaN", "5e-324"))),
  big: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
  bytes: nullable(fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("hex"))),
  // TypeORM makes a Date of it: "give a sample the values that are hard to keep" writes what a Date cannot hold.
  moment: nullable(fc.constantFrom("2026-02-28T23:59:59.999+14:00", "1970-01-01T00:00:00Z", "0099-12-31T12:00:00Z")),
  span: nullable(fc.constantFrom("1 mon -1 day", "-00:00:00.000001", "178000000 years", "0")),
  secret: nullable(text),
});

const writeOf = (from: readonly string[]): fc.Arbitrary<Write> =>
  fc.record({
    path: fc.constantFrom(...from),
    picks: fc.tuple(fc.nat(97), fc.nat(97), fc.nat(97)),
    text: nullable(text),
    number: fc.nat(9999),
    sample,
  });

const anyWrite = writeOf(Object.keys(paths));
/** Of what the subscriber sees: mostly what it records, the rest to be refused. What only the database does, it cannot know of. */
const seenWrite = fc.oneof(
  { weight: 4, arbitrary: writeOf(recorded) },
  { weight: 1, arbitrary: writeOf(Object.keys(paths).filter((path) => !outOfReach.includes(path))) },
);
const statement = writeOf(Object.keys(statements).filter((path) => !outOfReach.includes(path)));
const anyStatement = writeOf(Object.keys(statements));

const who: fc.Arbitrary<Who> = fc.record({
  actor: fc.option(
    fc.record({
      type: fc.constantFrom("user", "job", "api key"),
      id: fc.oneof(text, fc.nat().map(String)),
      name: nullable(text),
    }),
    { freq: 5, nil: null },
  ),
  tenant: nullable(fc.constantFrom("1", "acme", "o'tenant")),
  metadata: fc.dictionary(text, document, { maxKeys: 3 }),
});

const transactionOf = (write: fc.Arbitrary<Write>, raw: boolean): fc.Arbitrary<Transaction> =>
  fc.record({
    kind: fc.constant("transaction"),
    who,
    parts: fc.array(
      fc.oneof(
        { weight: 3, arbitrary: write },
        {
          weight: 1,
          arbitrary: fc.record({
            kind: fc.constant("savepoint" as const),
            writes: fc.array(write, { minLength: 1, maxLength: 3 }),
            keep: fc.boolean(),
          }),
        },
      ),
      { minLength: 1, maxLength: 6 },
    ),
    keep: fc.nat(3).map((chance) => chance > 0),
    raw: fc.constant(raw),
    isolation: fc.constantFrom("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"),
    retried: fc.nat(4).map((chance) => chance === 0),
  });

const transactionsOf = (write: fc.Arbitrary<Write>, raw: fc.Arbitrary<Write>) =>
  fc.oneof({ weight: 3, arbitrary: transactionOf(write, false) }, { weight: 1, arbitrary: transactionOf(raw, true) });

const stepsOf = (write: fc.Arbitrary<Write>, transaction: fc.Arbitrary<Transaction>): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("write" as const), who, write }) },
    { weight: 6, arbitrary: transaction },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("abreast" as const), transactions: fc.tuple(transaction, transaction) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "moment" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "release" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "replay" as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("rewind" as const), to: fc.nat(9) }) },
  );

/** A few rows of everything first, so that the writes after them find something to change. */
const beginning = (first: readonly string[]): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.constant("transaction" as const),
    who,
    parts: fc.tuple(...first.map((path) => writeOf([path]))),
    keep: fc.constant(true),
    raw: fc.constant(false),
    isolation: fc.constant("READ COMMITTED" as const),
    retried: fc.constant(false),
  });

const saves = [
  "save several new people",
  "save a team by its natural key",
  "save a seat",
  "save a car",
  "save a truck",
  "save a root category",
  "save an invoice with lines",
  "save a sample",
  "save a badge",
];

const historiesOf = (first: readonly string[], step: fc.Arbitrary<Step>): fc.Arbitrary<History> =>
  fc
    .tuple(beginning(first), fc.array(step, { minLength: 15, maxLength: 45, size: "max" }))
    .map(([begun, rest]) => [begun, ...rest]);

const byTriggers = historiesOf(
  [
    ...saves,
    "insert a team or update it",
    "insert over what is there",
    "insert a seat",
    "save a category under another",
  ],
  stepsOf(anyWrite, transactionsOf(anyWrite, anyStatement)),
);
const bySubscriber = historiesOf(saves, stepsOf(seenWrite, transactionsOf(seenWrite, statement)));

/** Random histories of an application that uses everything at once. */
export function historiesUnder(capture: HistoryCapture): fc.Arbitrary<History> {
  return capture === "subscriber" ? bySubscriber : byTriggers;
}
