import { EventLogError, type UncapturedWrite, withRequestContext } from "../../../src/index.js";
import { operator } from "../actors.js";
import { runErrands } from "../errands/errand.js";
import { nativeNameErrands } from "../errands/native-names.js";
import { newNotes } from "../errands/notes.js";
import { fingerprints } from "../proof.js";
import type { ReleaseOne } from "./release-one.js";
import type { Noted } from "./release-two.js";
import type { Stage } from "./stage.js";

/**
 * What the entity subscriber could not see: it has said so of every statement, `verify()` names the rows, and no row differs of an
 * entity of which nothing was reported. What cannot hold then: the log's end is not what the tables are, and not even whole, for it
 * still has rows that refer to what was removed, and which the database took away by itself. What holds: the import, made by save
 * alone, comes back; and from there on, as long as the application only saves, every point. Gives two of these.
 */
export async function tellUncaptured(
  { dataSource, log, client, report, expect }: Stage,
  before: ReleaseOne,
): Promise<Noted> {
  const { uncaptured } = await log.status();
  const writes = merged([...before.uncaptured, ...uncaptured]);
  const differing: Record<string, number> = {};
  const found = await log.verify({
    onDifference: ({ entity }) => void (differing[entity] = (differing[entity] ?? 0) + 1),
  });
  const reported = new Set(writes.flatMap(({ tables }) => tables));
  const unreported = Object.keys(differing).filter((entity) => !reported.has(entity));
  const refusal = await log.replay(undefined, { unknownRows: "delete" }).then(() => null, codeOf);
  const point = { bookmark: "imported" };
  const context = { ...operator, metadata: { reason: "Back to what is recorded" } };
  const replay = await withRequestContext(context, () => log.replay(point, { unknownRows: "delete" }));
  report.tell("uncaptured", { writes, found, differing, unreported, refusal, replay });

  expect(writes.length > 0, "The subscriber reports nothing, though much was written by criteria.");
  expect(!found.equal, "verify() does not find the writes that were not captured.");
  for (const entity of unreported) expect(false, `Rows of ${entity} differ from the log, and nothing was reported.`);
  expect((await log.verify()).equal, "verify() finds differences after the replay to the import.");

  // The migration has changed the currencies' shape since.
  const imported = before.imported.filter(({ table }) => table !== "currency");
  const saves = [...nativeNameErrands, ...newNotes].filter(({ how }) => how.startsWith("save, "));
  await runErrands(dataSource, saves);
  const { position } = await log.status();
  return {
    middle: { name: "import", point, tables: imported },
    end: { point: position, tables: await fingerprints(client) },
  };
}

function codeOf(error: unknown): string {
  if (error instanceof EventLogError) return error.code;
  throw error;
}

function merged(writes: readonly UncapturedWrite[]): UncapturedWrite[] {
  const byShape = new Map<string, UncapturedWrite>();
  for (const write of writes)
    byShape.set(write.shape, { ...write, count: write.count + (byShape.get(write.shape)?.count ?? 0) });
  return [...byShape.values()].toSorted((one, other) => other.count - one.count);
}
