import fc from "fast-check";
import { changeKinds } from "./changes.js";
import type { FirstTables } from "./first-tables.js";
import { type Write, writeKinds } from "./writes.js";

/** What the other session does while a change is made. */
export interface Beside {
  /** Holds a transaction that the change waits for; or one that writes after the change, with an older snapshot. */
  readonly how: "before it" | "by an old snapshot";
  readonly writes: readonly Write[];
  readonly keep: boolean;
}

export type Step =
  | {
      readonly kind: "writes";
      readonly session: "A" | "B";
      readonly writes: readonly Write[];
      readonly keep: boolean | null;
    }
  | { readonly kind: "moment" }
  | { readonly kind: "calls" }
  | {
      readonly kind: "change";
      readonly change: string;
      readonly seed: number;
      readonly inTransaction: boolean;
      readonly before: readonly Write[];
      readonly between: readonly Write[];
      readonly after: readonly Write[];
      readonly beside: Beside | null;
      readonly keep: boolean;
    };

export interface MigrationHistory {
  readonly first: FirstTables;
  readonly beginning: readonly Write[];
  /** Each ends with an install. */
  readonly releases: readonly (readonly Step[])[];
  readonly end: readonly Write[];
}

const seed = fc.nat(2 ** 31 - 1);
const write: fc.Arbitrary<Write> = fc.record({
  kind: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom("insert" as const, "update" as const) },
    { weight: 3, arbitrary: fc.constantFrom(...writeKinds) },
  ),
  seed,
});
const insert: fc.Arbitrary<Write> = fc.record({ kind: fc.constant("insert" as const), seed });
const upTo = (most: number) => fc.array(write, { maxLength: most, size: "max" });
const mostly = fc.nat(4).map((chance) => chance > 0);

const quiet: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("writes" as const),
      session: fc.constantFrom("A" as const, "B" as const),
      writes: fc.array(write, { minLength: 1, maxLength: 3, size: "max" }),
      keep: fc.constantFrom(null, true, true, false),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: "moment" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "calls" as const }) },
);

const beside: fc.Arbitrary<Beside> = fc.record({
  how: fc.constantFrom("before it" as const, "by an old snapshot" as const),
  writes: fc.array(write, { minLength: 1, maxLength: 2, size: "max" }),
  keep: mostly,
});

const changeOf = (kinds: readonly string[]): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.constant("change" as const),
    change: fc.constantFrom(...kinds.filter((kind) => kind !== calls)),
    seed,
    inTransaction: fc.boolean(),
    before: upTo(2),
    between: upTo(2),
    after: upTo(2),
    beside: fc.option<Beside>(beside, { freq: 2 }),
    keep: mostly,
  });

const releaseOf = (kinds: readonly string[]): fc.Arbitrary<Step[]> =>
  fc
    .tuple(
      fc.array(quiet, { maxLength: 4, size: "max" }),
      fc.array(fc.tuple(changeOf(kinds), fc.array(quiet, { maxLength: 3, size: "max" })), {
        minLength: 1,
        maxLength: 5,
        size: "max",
      }),
    )
    .map(([before, changes]) => [...before, ...changes.flatMap(([change, after]) => [change, ...after])]);

/** Random histories of migrations; of the kinds of change that are given. */
export function historiesOf(kinds: readonly string[]): fc.Arbitrary<MigrationHistory> {
  const sometimes = fc.nat(2).map((chance) => chance === 2);
  return fc.record({
    first: fc.record({ seed, isPartitioned: sometimes, hasSecondTable: sometimes, hasRowTrigger: sometimes }),
    beginning: fc.array(insert, { minLength: 3, maxLength: 6, size: "max" }),
    releases: fc.array(releaseOf(kinds), { minLength: 1, maxLength: 3, size: "max" }),
    end: upTo(4),
  });
}

/** What the release before is asked between a migration and its install. */
export const calls = "calls before an install";
export const allKinds: readonly string[] = [...Object.keys(changeKinds), calls];
