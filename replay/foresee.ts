import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { type Apply, brokenConstraints, missingValues } from "./broken-constraints.js";
import { refuseReferences } from "./clear.js";
import type { Target } from "./difference.js";
import { type Broken, constraintError, type Rebuilt, refusalOf } from "./invalid-rows.js";
import type { Plan } from "./plan.js";
import { foreseeReferences } from "./references.js";
import type { TableDifference } from "./replay-report.js";

/**
 * What would be in the way of making live equal, found without writing to it: for a dry run. What the application's own
 * clearing (`clears`) does is not known before it runs.
 * Throws REPLAY_INVALID_ROWS, REPLAY_BLOCKED_BY_REFERENCES.
 */
export async function foresee(
  session: Session,
  targets: readonly Target[],
  {
    schema,
    apply,
    clears,
    planned,
    plan,
  }: { schema: string; apply: Apply; clears: boolean; planned: readonly TableDifference[]; plan: Plan },
): Promise<void> {
  const rebuilds = apply === "rebuild";
  if (rebuilds && !clears) await refuseReferences(session, schema, targets);
  // Where rows only go, none of these is broken.
  const isWritten = ({ missing, different }: TableDifference) => rebuilds || missing + different > 0;
  const written = targets.filter((_, index) => planned[index] === undefined || isWritten(planned[index]));
  refuse(await brokenConstraints(session, written, apply), plan);
  if (!clears) await foreseeReferences(session, schema, targets);
}

/** Throws REPLAY_INVALID_ROWS where wanted rows have no value for a column that is NOT NULL. */
export async function refuseMissingValues(
  session: Session,
  targets: readonly Pick<Target, "table" | "wanted">[],
  { apply, plan }: { apply: Apply; plan: Plan },
): Promise<void> {
  refuse(await missingValues(session, targets, apply), plan);
}

/**
 * An error of a replay as the library names it. Where Postgres refused a constraint, the rows that break it are counted
 * among the wanted ones, by `count`; undefined where those are gone.
 */
export async function replayError(
  error: unknown,
  rebuilt: Rebuilt,
  count: (() => Promise<Broken[]>) | undefined,
): Promise<unknown> {
  const named = constraintError(error, rebuilt);
  if (named === error || count === undefined || !isInvalidRows(named)) return named;
  const broken = await count().catch(() => []); // the first error is the one to tell
  const { column, constraint } = named.details;
  const same = broken.filter((found) => found.column === column && found.constraint === constraint);
  // A partition's constraint has another name than its table's.
  return broken.length === 0 ? named : refusalOf(same.length === 0 ? broken : same, rebuilt.plan);
}

function refuse(broken: readonly Broken[], plan: Plan): void {
  if (broken.length > 0) throw refusalOf(broken, plan);
}

function isInvalidRows(error: unknown): error is EventLogError {
  return error instanceof EventLogError && error.code === "REPLAY_INVALID_ROWS";
}
