import type { Shadow } from "../../src/index.js";
import { attempt, type Attempt, described, isTyped } from "./attempt.js";
import type { Complaints } from "./complaints.js";
import { type Row, situations } from "./kind.js";
import { bookmark, type Migrated } from "./migrated.js";
import { entityIn, ordinaryColumns, type Release } from "./release.js";
import { isRightRefusal, type PastRows, pastOf } from "./past.js";
import { proveEqual } from "./prove-equal.js";
import { recordComplaints } from "./prove-record.js";
import { difference, only, rowsOf } from "./rows.js";

/** What a bookmark from before the migration gives, in today's shape: a shadow, one record, and live made so again. */
export async function provePast(
  migrated: Migrated,
  release: Release,
  afterDdl: ReadonlyMap<string, readonly Row[]>,
  complaints: Complaints,
): Promise<void> {
  const pasts = new Map<string, PastRows>();
  const shadow = await attempt(() => release.log.shadow({ bookmark }));
  for (const situation of situations) {
    const { table } = situation;
    const past = pastOf(migrated, situation, afterDdl.get(table) ?? []);
    pasts.set(table, past);
    complaints.add(table, ...(await shadowComplaints(migrated, release, shadow, table, past)));
    complaints.add(table, ...(await recordComplaints(migrated, release, table, { past, shadow })));
  }
  if (!shadow.failed) await shadow.value.drop();
  await proveEqual(release, complaints, "verify after the reverts");
  await proveReplayBack(migrated, release, pasts, complaints);
}

async function shadowComplaints(
  { kind, client }: Migrated,
  { entities }: Release,
  shadow: Attempt<Shadow>,
  table: string,
  past: PastRows,
): Promise<string[]> {
  if (shadow.failed)
    return isRightRefusal(kind, shadow.error) ? [] : [`shadow at the bookmark gave ${described(shadow)}`];
  if (past === undefined) return ["shadow at the bookmark is not refused"];
  const { tablePath } = shadow.value.manager.getRepository(entityIn(entities, table)).metadata;
  const found = difference(await rowsOf(client, tablePath), past);
  return found === undefined ? [] : [`shadow at the bookmark has ${found}`];
}

/** Live is made what it was, in today's shape; or that is refused, and live stays as it is. */
async function proveReplayBack(
  migrated: Migrated,
  { log }: Release,
  pasts: ReadonlyMap<string, PastRows>,
  complaints: Complaints,
): Promise<void> {
  const { kind } = migrated;
  const mustBeRefused = kind.past === "refused" || kind.doesNotFit === true;
  const mayBeRefused = mustBeRefused || kind.mayRefuse === true;
  const was = await migrated.liveRows();
  const replayed = await attempt(() => log.replay({ bookmark }));
  const isRefused = replayed.failed;
  if (isRefused ? !isTyped(replayed.error) || !mayBeRefused : mustBeRefused)
    complaints.addToAll(`replay to the bookmark gave ${described(replayed)}`);
  for (const [table, rows] of await migrated.liveRows()) {
    const wanted = isRefused ? was.get(table) : pasts.get(table);
    const columns = ordinaryColumns(kind.after);
    const found = wanted && difference(only(rows, columns), only(wanted, columns));
    if (found !== undefined) complaints.add(table, `replay to the bookmark left ${found}`);
  }
}
