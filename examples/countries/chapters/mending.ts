import { isDeepStrictEqual } from "node:util";
import { differingTables, fingerprints, nextNoteId } from "../proof.js";
import { spoil } from "../spoil.js";
import type { Noted } from "./release-two.js";
import type { Stage } from "./stage.js";

/** Three rows are spoiled behind the log's back; `verify` has to name exactly these, a replay to mend exactly these. */
export async function mend({ log, client, report, expect }: Stage, noted: Noted): Promise<void> {
  const before = await log.verify();
  expect(before.equal, "verify() finds differences before anything was spoiled.");

  const spoiled = await spoil(client);
  const found = await log.verify();
  // A row that the log does not know is never deleted unasked: without the option, the replay refuses.
  const replay = await log.replay(undefined, { unknownRows: "delete" });
  const after = await log.verify();
  const tables = await fingerprints(client);
  const nextId = await nextNoteId(client);
  report.tell("mended", { spoiled, found, replay, after, tables, nextId });

  expect(
    isDeepStrictEqual(sorted(found.differences), sorted(spoiled)),
    "verify() does not name exactly the three rows that were spoiled.",
  );
  const { inserted, updated, deleted } = replay.rows;
  expect(
    inserted === 1 && updated === 1 && deleted === 1,
    `The replay inserted ${inserted}, updated ${updated}, deleted ${deleted} rows, and not one each.`,
  );
  expect(after.equal, "verify() still finds differences after the replay.");
  for (const table of differingTables(noted.end.tables, tables))
    expect(false, `After the replay that mends, ${table} is not what it was.`);
  expect(nextId.next > nextId.highest, `A new note gets the id ${nextId.next}, and the highest is ${nextId.highest}.`);
}

function sorted<T extends { readonly entity: string }>(rows: readonly T[]): T[] {
  return rows.toSorted((one, other) => one.entity.localeCompare(other.entity));
}
