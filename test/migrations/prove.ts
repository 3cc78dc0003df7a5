import type { Capture } from "../../src/index.js";
import type { TestDatabase } from "../database.js";
import { differencesOf, readLiveRows } from "../live-rows.js";
import { attempt, codeOf, described } from "./attempt.js";
import { Complaints } from "./complaints.js";
import { readingCalls, readingComplaints, staleComplaints, wholeCalls, writingCalls } from "./folding-calls.js";
import { keyIn, type Kind, situations } from "./kind.js";
import { bookmark, Migrated } from "./migrated.js";
import { entityIn, type Release } from "./release.js";
import { isRightRefusal } from "./past.js";
import { proveEqual } from "./prove-equal.js";
import { provePast } from "./prove-past.js";

/** Runs a kind of migration in every situation and says what the log got wrong. */
export async function proveKind(kind: Kind, capture: Capture, database: TestDatabase): Promise<Complaints> {
  const complaints = new Complaints();
  const migrated = await Migrated.start(kind, capture, database);
  try {
    await prove(migrated, complaints);
  } catch (error) {
    complaints.addToAll(`the test itself gave ${described({ failed: true, error })}`);
  } finally {
    await migrated.stop();
  }
  return complaints;
}

async function prove(migrated: Migrated, complaints: Complaints): Promise<void> {
  const older = await migrated.before();
  const afterDdl = await migrated.migrate();
  const release = await migrated.after();
  await proveStale(migrated, release, complaints);
  const written = await attempt(() => migrated.writeBetween(release));
  // The subscriber does not record what it would misread: it refuses the write before it is sent.
  const isRefused = migrated.capture === "subscriber" && codeOf(written) === "INSTALL_STALE";
  if (written.failed && !isRefused) complaints.addToAll(`a write before the install gave ${described(written)}`);
  const installed = await attempt(() => release.log.install());
  if (installed.failed) return complaints.addToAll(`install gave ${described(installed)}`);
  await proveOlder(migrated, older, complaints);
  await migrated.writeAfter(release);
  await proveKept(migrated, release, complaints);
  await provePast(migrated, release, afterDdl, complaints);
}

/** Between the DDL and the install nothing is folded, and everything can be read. */
async function proveStale(migrated: Migrated, { log, entities }: Release, complaints: Complaints): Promise<void> {
  const { isStale = true, rows } = migrated.kind;
  const id = migrated.keyAfter(rows[0]);
  for (const { table, rowsBefore } of situations) {
    const place = { log, entity: entityIn(entities, table), id, bookmark };
    const onEmpty = { ...wholeCalls(place), ...writingCalls(place) };
    const calls = { ...readingCalls(place), ...(rowsBefore ? {} : onEmpty) };
    complaints.add(table, ...(await staleComplaints(calls, { isStale })));
    complaints.add(table, ...(await readingComplaints(place)));
  }
}

/** A process of the release before: it reads in the shape that its own classes have, or says that it is too old. */
async function proveOlder({ kind }: Migrated, { log, entities }: Release, complaints: Complaints): Promise<void> {
  const [row] = kind.rows;
  for (const { table } of situations.filter(({ rowsBefore }) => rowsBefore)) {
    const entity = entityIn(entities, table);
    const found = await attempt(() => log.at(entity, keyIn(row, kind.before), { bookmark }, { sensitive: true }));
    if (!found.failed) {
      const lacking = Object.keys(row).filter((name) => found.value?.[name] === undefined);
      if (lacking.length > 0)
        complaints.add(table, `an older process got a record without ${lacking.join(", ")} of at`);
    } else if (codeOf(found) !== "INSTALL_STALE" && !isRightRefusal(kind, found.error)) {
      complaints.add(table, `an older process got ${described(found)} of at`);
    }
  }
}

/** After the install log and tables are equal, and a replay keeps every row as it is. */
async function proveKept(migrated: Migrated, release: Release, complaints: Complaints): Promise<void> {
  const was = await readLiveRows(migrated.url);
  await proveEqual(release, complaints, "verify");
  const replayed = await attempt(() => release.log.replay());
  if (replayed.failed) complaints.addToAll(`replay gave ${described(replayed)}`);
  for (const line of differencesOf(await readLiveRows(migrated.url), was))
    addByTable(complaints, line, `replay changed ${line}`);
  await proveEqual(release, complaints, "verify after the replay");
}

/** A line of a difference names its table, `- public.old {...}`, or a partition or a new name of it. */
function addByTable(complaints: Complaints, line: string, complaint: string): void {
  const found = situations.find(({ table }) => line.includes(`.${table}`));
  if (found === undefined) complaints.addToAll(complaint);
  else complaints.add(found.table, complaint);
}
