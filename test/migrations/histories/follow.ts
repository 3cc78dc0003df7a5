import { drawChange } from "./changes.js";
import { type Copies, rowsOf } from "./copies.js";
import { Divergence } from "./divergence.js";
import { liveName, type Model } from "./model.js";
import { quoted } from "./quoted.js";
import { rowDifferences } from "./row-differences.js";
import type { World } from "./world.js";

/** Kinds that bring, take or write rows, which copies are not to follow. */
const withRows = [
  "make an enum again",
  "make a table again",
  "attach a partition",
  "detach a partition",
  "drop a partition",
];

/** Makes changes that write no row; those that the rows do not allow are passed over. Returns the schema then. */
export async function changeUnderCopies(
  { sessions: { A }, lines }: World,
  first: Model,
  copies: Copies,
  changes: readonly { readonly change: string; readonly seed: number }[],
  kinds: readonly string[],
): Promise<Model> {
  let model = first;
  for (const { change, seed } of changes) {
    const [kind, drawn] =
      drawChange(
        model,
        change,
        seed,
        kinds.filter((other) => !withRows.includes(other)),
      ) ?? [];
    for (const step of drawn?.steps ?? []) {
      if (!drawn?.isAlone) await A.query("begin");
      lines.push(`-- ${kind}: ${step.sql}`);
      try {
        await A.query(step.sql);
      } catch {
        await A.query("rollback");
        break;
      }
      await copies.follow(A, step);
      if (!drawn?.isAlone) await A.query("commit");
      model = step.after;
    }
  }
  return model;
}

/** A copy of a table that nobody wrote to is that table. */
export async function expectCopiesEqual({ watcher }: World, model: Model, copies: Copies): Promise<void> {
  for (const copy of copies.all) {
    for (const table of model.tables.filter(({ id }) => id === copy.tableId)) {
      const columns = table.columns.map(({ name, role }) => `${role === "excluded" ? "null as " : ""}${quoted(name)}`);
      const live = await rowsOf(watcher, `select ${columns.join(", ")} from ${liveName(table)}`, table);
      const kept = await copies.rows(watcher, copy, table);
      const differences = [...rowDifferences(table, kept, live).values()];
      if (differences.length > 0 || copy.lost.length > 0)
        throw new Divergence(
          "a copy does not follow",
          `lost ${copy.lost.join()} ${differences.slice(0, 4).join("\n  ")}`,
        );
    }
  }
}
