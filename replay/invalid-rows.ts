import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { isAboutRows, type TableConstraint } from "./constraints.js";
import type { FoldTable } from "./fold-table.js";
import type { Plan } from "./plan.js";
import { brokenReference } from "./references.js";

/** Something of a table that rebuilt rows break. */
export interface Broken {
  readonly kind: TableConstraint["kind"] | "not null" | "partition" | "domain" | "value";
  /** Absent where Postgres does not say which table it is, or where that is not a tracked one. */
  readonly entity?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** How many rows break it, where that is known. */
  readonly rows?: number | undefined;
  /** Postgres's SQLSTATE, where it refused the rows. */
  readonly state?: string | undefined;
  /** What Postgres says of a value, without the value. */
  readonly says?: string | undefined;
}

/** Where an error comes from. */
export interface Rebuilt {
  /** Whose rows were rebuilt; one alone is the one that the error is about. */
  readonly tables: readonly FoldTable[];
  readonly plan?: Plan | undefined;
  readonly rows?: number | undefined;
  readonly hint?: string | undefined;
}

/**
 * What Postgres refused about rebuilt rows, as a typed error with the column or constraint; every other error as it is.
 */
export function constraintError(error: unknown, rebuilt: Rebuilt): unknown {
  const { table, constraint } = error as { table?: string; constraint?: string };
  const isReference = ["23503", "23001"].includes(stateOf(error) ?? "");
  return isReference ? brokenReference(table, constraint) : invalidRows(error, rebuilt);
}

/** The same where foreign keys play no part: REPLAY_INVALID_ROWS. */
export function invalidRows(error: unknown, { tables, plan, rows, hint }: Rebuilt): unknown {
  if (!isAboutRows(error)) return error;
  return refusalOf([{ ...brokenBy(error as PostgresError, tables), rows }], plan, hint);
}

/** REPLAY_INVALID_ROWS for what rebuilt rows break; `details` are those of the first, and `details.broken` has all. */
export function refusalOf(broken: readonly Broken[], plan: Plan | undefined, hint?: string): EventLogError {
  const [first = { kind: "value" as const }] = broken;
  const list = broken.map(detailsOf);
  return new EventLogError("REPLAY_INVALID_ROWS", broken.map(sentenceOf).join(" "), {
    hint: hint ?? wayOut(first, plan),
    details: { ...list[0], broken: list },
  });
}

interface PostgresError extends Error {
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
  /** The domain whose constraint a value breaks. */
  readonly dataType?: string;
}

/** What a constraint kind is called by the SQLSTATE that it is refused with. */
const kinds: Readonly<Record<string, Broken["kind"]>> = {
  "23502": "not null",
  "23505": "unique",
  "23P01": "exclusion",
  "54000": "index",
};

function brokenBy(error: PostgresError, tables: readonly FoldTable[]): Broken {
  const { schema = "", table: name, column, constraint, dataType, message } = error;
  const state = stateOf(error) ?? "";
  const own = tables.find(({ path }) => path[0] === schema && path[1] === name);
  const table = own ?? (name === undefined && tables.length === 1 ? tables[0] : undefined);
  const of = { entity: table?.entity, table: table?.tableName ?? name, state };
  if (state.startsWith("22")) return { ...of, kind: "value", says: message };
  if (dataType !== undefined) {
    const columns = (table?.columns ?? []).filter(({ type }) => baseOf(type) === `${schema}.${dataType}`);
    return {
      ...of,
      kind: "domain",
      column: columns.length === 1 ? columns[0]?.name : undefined,
      constraint,
      says: dataType,
    };
  }
  if (state === "23514") return { ...of, kind: constraint === undefined ? "partition" : "check", constraint };
  return { ...of, kind: kinds[state] ?? "check", column, constraint };
}

/** A type's name without quotes, and that of an array's elements. */
function baseOf(type: string): string {
  return type.replaceAll('"', "").replace(/(\[\])+$/, "");
}

function sentenceOf(broken: Broken): string {
  const { entity, table = "a table", rows } = broken;
  const of = entity ?? table;
  if (rows === undefined) return `Rebuilt rows of ${of} break ${whatOf(broken)}.`;
  return rows === 1
    ? `1 rebuilt row of ${of} breaks ${whatOf(broken)}.`
    : `${rows} rebuilt rows of ${of} break ${whatOf(broken)}.`;
}

function whatOf({ kind, column, constraint, says }: Broken): string {
  const name = constraint === undefined ? "" : ` "${constraint}"`;
  switch (kind) {
    case "not null":
      return `the NOT NULL${column === undefined ? "" : ` of the column "${column}"`}: the log has no value for it`;
    case "partition":
      return "the bounds of the table's partitions: none takes them";
    case "domain": {
      const what = constraint === undefined ? "NOT NULL" : `constraint${name}`;
      return `the ${what} of the domain "${says}"${column === undefined ? "" : ` in the column "${column}"`}`;
    }
    case "value":
      return `the type of a column: ${says}`;
    case "primary key":
    case "index":
      return `the ${kind}${name}`;
    default:
      return `the ${kind} constraint${name}`;
  }
}

const orShadow = "or look at the past with `shadow()`.";
const dropIt = `drop it, replay, correct the rows and add it again, ${orShadow}`;

function wayOut({ kind }: Broken, plan: Plan | undefined): string {
  if (plan !== undefined && hasHandlers(plan)) {
    if (kind === "not null") return `Let an upcaster or override give the column a value, ${orShadow}`;
    const correct = "Correct the upcaster or override that makes these rows";
    return kind === "domain" || kind === "value" ? `${correct}.` : `${correct}, ${orShadow}`;
  }
  switch (kind) {
    case "not null":
      return `The column got its values later, so the past has none: allow null in it, replay and fill it, ${orShadow}`;
    case "partition":
      return `Attach a partition for these rows, ${orShadow}`;
    case "domain":
      return "The domain's constraint is younger than these values: drop it until they are corrected.";
    case "value":
      return "The column's type is not what it was when these values were recorded.";
    case "unique":
    case "primary key":
    case "exclusion":
      return `It is younger than these rows, or rows that stay have the same values: change those, or ${dropIt}`;
    default:
      return `It is younger than these rows: ${dropIt}`;
  }
}

/** Whether upcasters and overrides are in use, or versions that need them are in the log. */
function hasHandlers({ upcasters, overrides, kinds, current }: Plan): boolean {
  return (
    upcasters.length + overrides.length > 0 ||
    kinds.some(({ entity, action, version }) => version < (current.get(entity)?.[action] ?? version))
  );
}

function detailsOf({ entity, table, column, constraint, rows, state }: Broken): Record<string, unknown> {
  const all = { entity, table, column, constraint, rows, state };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
