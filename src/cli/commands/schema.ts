import type { RecordedSchemaChange } from "../../index.js";
import { tableOf } from "../output.js";
import type { Register } from "../run.js";

export const schema: Register = (program, action) => {
  program
    .command("schema")
    .description("What changed in tracked tables, as the log followed it, oldest first.")
    .action(
      action(async ({ log, out }) => {
        const { schemaChanges } = await log.status();
        out.result(schemaChanges, () =>
          schemaChanges.length === 0
            ? "No tracked table has changed since it was first installed."
            : tableOf(
                ["position", "time", "entity", "change"],
                schemaChanges.map((change) => [
                  String(change.position),
                  change.recordedAt.toISOString(),
                  change.entity,
                  textOf(change),
                ]),
              ),
        );
      }),
    );
};

/** A line each: name → full_name; added plan. */
export function textOf(change: Omit<RecordedSchemaChange, "position" | "recordedAt">): string {
  const lines = [
    ...change.renamed.map(({ from, to }) => `renamed ${from} to ${to}`),
    ...change.dropped.map((name) => `dropped ${name}`),
    ...change.added.map((name) => `added ${name}`),
    ...change.retyped.map(({ column, from, to }) => `${column} from ${from} to ${to}`),
    ...change.relabelled.map(({ column, from, to }) => `label of ${column} from ${from} to ${to}`),
    ...(change.rekeyed ? ["other keys"] : []),
    ...change.emptied.map((name) => `partition ${name} is gone`),
  ];
  return lines.length === 0 ? "values rewritten, or options changed" : lines.join("; ");
}
