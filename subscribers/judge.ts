import type { DataSource } from "typeorm";
import { type Cascade, type CapturedTable, capturedTables, type Follower } from "./captured-tables.js";
import type { TrackedTable } from "../src/log/tracked-tables.js";
import type { Verb } from "./notes.js";
import { masked } from "./sql-text.js";
import type { Transaction } from "./transaction.js";
import { writesOf } from "./written-tables.js";

/** What subscriber capture makes of a statement that writes a tracked table. */
export type Judgement =
  | { readonly kind: "captured"; readonly table: TrackedTable; readonly verb: Verb; readonly target: string }
  /** It may, or may not, be that rows of tracked tables go with the rows that it deletes. */
  | { readonly kind: "cascading"; readonly target: string; readonly cascades: readonly Cascade[] }
  | { readonly kind: "uncaptured"; readonly entities: readonly string[]; readonly because: string };

/**
 * A write is captured when three witnesses agree: it is made in a transaction, so there is a commit to record it at; TypeORM's
 * hooks are showing a row of its table at this moment; and it is of a form whose RETURNING names every row that it touches. The
 * hooks say that a write is captured, the database says which rows. All else on a tracked table is uncaptured.
 */
export function judge(dataSource: DataSource, text: string, transaction: Transaction): Judgement[] {
  const { targets, plain } = writesOf(text);
  if (targets.length === 0) return [];
  const { byName } = capturedTables(dataSource);
  const written = targets.flatMap((target) => byName.get(target) ?? []);
  if (written.length === 0) return [];
  const [table] = written;
  const deletes = /\b(?:delete\s+from|merge\s+into)\b/i.test(text);
  const cascades = deletes ? written.flatMap((one) => one.cascades) : [];
  const followers = followersIn(text, written);
  if (/^\s*truncate\b[\s\S]*\bcascade\b/i.test(masked(text)))
    return uncaptured(
      written,
      written.map(({ truncated }) => ({ entities: truncated })),
      notOurs,
    );
  if (plain === undefined || table === undefined || written.length !== 1)
    return uncaptured(written, [...cascades, ...followers], notOurs);
  const { verb, target } = plain;
  const { tracked } = table;
  const judgements = uncaptured([], followers, "the database changes rows of them that refer to what it changes");
  if (cascades.length > 0) judgements.push({ kind: "cascading", target, cascades });
  if (tracked === undefined) return judgements;
  const because = objection(text, verb, tracked, transaction);
  if (because !== undefined) return uncaptured([table], [...cascades, ...followers], because);
  return [...judgements, { kind: "captured", table: tracked, verb, target }];
}

const notOurs = "save, remove, softRemove and recover make no such statement";

function objection(text: string, verb: Verb, table: TrackedTable, transaction: Transaction): string | undefined {
  if (!transaction.open) return "it is made outside of a transaction";
  if (!transaction.notes.isShown(table)) return "no hook shows its rows";
  const code = masked(text);
  if (verb === "insert" && /\bon\s+conflict\b/i.test(code)) return "hooks do not show what an upsert does";
  if (verb === "update" && table.keyColumns.some((name) => namedIn(assignments(code), name)))
    return "it may change a primary key";
  return undefined;
}

function uncaptured(
  written: readonly CapturedTable[],
  cascades: readonly Pick<Cascade, "entities">[],
  because: string,
): Judgement[] {
  const entities = [
    ...written.flatMap(({ tracked }) => tracked?.entity ?? []),
    ...cascades.flatMap((cascade) => cascade.entities),
  ];
  return entities.length === 0 ? [] : [{ kind: "uncaptured", entities: [...new Set(entities)], because }];
}

/** Of the tables that a text writes, what follows columns that it may change. */
function followersIn(text: string, written: readonly CapturedTable[]): Follower[] {
  const code = masked(text);
  const changed = /\b(?:update|merge\s+into)\b/i.test(code) ? assignments(code) : "";
  return written.flatMap(({ followers }) =>
    followers.filter(({ columns }) => columns.some((name) => namedIn(changed, name))),
  );
}

/** What stands behind each SET. */
function assignments(code: string): string {
  return [...code.matchAll(/\bset\b([\s\S]*?)(?=\bwhere\b|\breturning\b|\bwhen\b|$)/gi)].map(([set]) => set).join(" ");
}

function namedIn(code: string, name: string): boolean {
  const bare = name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return (
    code.includes(`"${name.replaceAll('"', '""')}"`) || new RegExp(`(?<![\\w$"])${bare}(?![\\w$"])`, "i").test(code)
  );
}
