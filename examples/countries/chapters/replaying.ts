import { withRequestContext } from "../../../src/index.js";
import { operator } from "../actors.js";
import { differingTables, fingerprints } from "../proof.js";
import type { Noted } from "./release-two.js";
import type { Stage } from "./stage.js";

/**
 * Back to an earlier point and forward again, each time compared, by plain SQL, with what was noted there. Rows pass the
 * class-validator decorators of their entities before anything is written, also those that an upcaster made of older events.
 */
export async function replay({ log, client, report, expect }: Stage, noted: Noted): Promise<void> {
  const replayTo = (point: bigint | { bookmark: string }, reason: string) =>
    withRequestContext({ ...operator, metadata: { reason } }, () => log.replay(point, { validate: true }));

  expect((await log.verify()).equal, "verify() finds differences before the first replay.");
  const { name } = noted.middle;
  const middle = await replayTo(noted.middle.point, `What was it like in the ${name}?`);
  const known = new Set(noted.middle.tables.map(({ table }) => table));
  const inTheMiddle = (await fingerprints(client)).filter(({ table }) => known.has(table));
  const end = await replayTo(noted.end.point, "And forward again");
  const atTheEnd = await fingerprints(client);

  const proof = [
    [name, noted.middle.tables, inTheMiddle],
    ["end", noted.end.tables, atTheEnd],
  ] as const;
  report.tell("replayed", { middle, end, proof });
  for (const [point, before, after] of proof) {
    for (const table of differingTables(before, after))
      expect(false, `After the replay to the ${point}, ${table} is not what it was.`);
  }
}
