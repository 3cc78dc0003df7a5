import { remembered } from "./remembered.js";
import { masked, statementsOf, unmasked, withoutComments } from "./sql-text.js";

/** A statement as far as it matters which tables it may write. */
export interface Writes {
  /** The tables named as targets, as the database spells them, with their schema where it is given. */
  readonly targets: readonly string[];
  /** The verb and the name of the target as written, for a single INSERT, UPDATE or DELETE on a table without an alias. */
  readonly plain?: { readonly verb: "insert" | "update" | "delete"; readonly target: string } | undefined;
}

const nothing: Writes = { targets: [] };
const name = String.raw`(?:"(?:[^"]|"")+"|[\w$\u0080-\uffff]+)`;
const path = String.raw`${name}(?:\s*\.\s*${name})?`;
const target = new RegExp(
  String.raw`\b(?:insert\s+into|update(?:\s+only)?(?!\s+set\b)|delete\s+from(?:\s+only)?|merge\s+into(?:\s+only)?)\s+(${path})`,
  "gi",
);
const truncated = new RegExp(
  String.raw`^\s*truncate(?:\s+table)?\s+((?:only\s+)?${path}(?:\s*\*)?(?:\s*,\s*(?:only\s+)?${path}(?:\s*\*)?)*)`,
  "i",
);
const copied = new RegExp(String.raw`^\s*copy\s+(${path})\s*(?:\([^)]*\))?\s+from\b`, "i");
const plain = new RegExp(
  String.raw`^\s*(insert\s+into|update|delete\s+from)\s+(${path})\s*(?:$|\(|\bset\b|\bwhere\b|\bdefault\b|\bvalues\b|\breturning\b)`,
  "i",
);

/**
 * The tables that a text names as targets of writes, comments and literals apart. A plain select has none, nor has DDL; of code in
 * a DO block every name counts. Writes of functions, views, rules and of dynamic SQL do not show.
 */
export const writesOf = remembered((text): Writes => {
  if (/^\s*(?:select|start|commit|savepoint|release|rollback)\b[^;]*$/i.test(text)) return nothing;
  const statements = statementsOf(masked(text));
  const targets = statements.flatMap((statement) => targetsOf(statement, text));
  if (targets.length !== 1 || statements.filter((statement) => statement.trim() !== "").length !== 1)
    return { targets };
  const found = plain.exec(statements[0] ?? "");
  if (found === null) return { targets };
  const verb = (found[1] ?? "").split(/\s/)[0]?.toLowerCase() as "insert" | "update" | "delete";
  return { targets, plain: { verb, target: unmasked(found[2] ?? "") } };
});

function targetsOf(statement: string, text: string): string[] {
  const verb = /^\s*(\w+)/.exec(statement)?.[1]?.toLowerCase();
  switch (verb) {
    case "insert":
    case "update":
    case "delete":
    case "merge":
    case "with":
    case "explain":
    case "prepare":
      return [...statement.matchAll(target)].map((match) => spelled(match[1] ?? ""));
    case "truncate":
      return (truncated.exec(statement)?.[1] ?? "")
        .split(",")
        .map((part) => part.replace(/^\s*only\s+/i, "").replace(/\*\s*$/, ""))
        .filter((part) => part.trim() !== "")
        .map(spelled);
    case "copy":
      return [copied.exec(statement)?.[1] ?? ""].filter((part) => part !== "").map(spelled);
    case "do":
      return [...withoutComments(text).matchAll(new RegExp(path, "g"))].map(([part]) => spelled(part));
    default:
      return [];
  }
}

/** As the catalog has it: unquoted parts in lower case, joined by a dot. */
function spelled(given: string): string {
  return [...unmasked(given).matchAll(new RegExp(name, "g"))]
    .map(([part]) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase()))
    .join(".");
}
