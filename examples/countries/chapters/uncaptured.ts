import type { UncapturedWrite } from "../../../src/index.js";
import { fingerprints } from "../proof.js";
import type { ReleaseOne } from "./release-one.js";
import type { Noted } from "./release-two.js";
import type { Stage } from "./stage.js";

/**
 * What the entity subscriber could not see: it has said so of every statement, `verify()` names the rows, and no row differs of an
 * entity of which nothing was reported. These writes are in no event, so a replay takes them back; from there on everything
 * holds that holds under trigger capture. Gives the points that the log can bring back: the import, by save alone, and now.
 */
export async function tellUncaptured({ log, client, report, expect }: Stage, before: ReleaseOne): Promise<Noted> {
  const { uncaptured } = await log.status();
  const writes = merged([...before.uncaptured, ...uncaptured]);
  const differing: Record<string, number> = {};
  const found = await log.verify({
    onDifference: ({ entity }) => void (differing[entity] = (differing[entity] ?? 0) + 1),
  });
  const reported = new Set(writes.flatMap(({ tables }) => tables));
  const unreported = Object.keys(differing).filter((entity) => !reported.has(entity));
  const replay = await log.replay(undefined, { unknownRows: "delete" });
  report.tell("uncaptured", { writes, found, differing, unreported, replay });

  expect(writes.length > 0, "The subscriber reports nothing, though much was written by criteria.");
  expect(!found.equal, "verify() does not find the writes that were not captured.");
  for (const entity of unreported) expect(false, `Rows of ${entity} differ from the log, and nothing was reported.`);
  expect((await log.verify()).equal, "verify() finds differences after the replay to what the log says.");

  // The migration has changed the currencies' shape since.
  const imported = before.imported.filter(({ table }) => table !== "currency");
  const { position } = await log.status();
  return {
    middle: { name: "import", point: { bookmark: "imported" }, tables: imported },
    end: { point: position, tables: await fingerprints(client) },
  };
}

function merged(writes: readonly UncapturedWrite[]): UncapturedWrite[] {
  const byShape = new Map<string, UncapturedWrite>();
  for (const write of writes)
    byShape.set(write.shape, { ...write, count: write.count + (byShape.get(write.shape)?.count ?? 0) });
  return [...byShape.values()].toSorted((one, other) => other.count - one.count);
}
