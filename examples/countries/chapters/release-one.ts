import { type Capture, eventLog, type UncapturedWrite } from "../../../src/index.js";
import { releaseOne } from "../data-sources.js";
import { runErrands, type Written } from "../errands/errand.js";
import { releaseOneErrands } from "../errands/release-one.js";
import { importWorld } from "../import.js";
import { type Fingerprint, fingerprints, plainClient } from "../proof.js";
import { countEvents } from "../reading.js";
import type { Report } from "../report/report.js";
import { timed } from "./stage.js";

/** What release 1 leaves behind. */
export interface ReleaseOne {
  readonly written: readonly Written[];
  /** What plain SQL read when everything was imported. */
  readonly imported: readonly Fingerprint[];
  /** What the subscriber could not record; nothing under trigger capture. */
  readonly uncaptured: readonly UncapturedWrite[];
}

/** The application starts: tables, log, import, and a few edits while a currency still has a label. */
export async function runReleaseOne(url: string, capture: Capture, report: Report): Promise<ReleaseOne> {
  const client = await plainClient(url);
  const dataSource = await releaseOne(url, capture).initialize();
  try {
    const log = eventLog(dataSource);
    await log.install();
    const rows: Record<string, number> = {};
    const [, durationMs] = await timed(() =>
      importWorld(dataSource, (what, done, total) => {
        rows[what] = done;
        report.progress(what, done, total);
      }),
    );
    report.tell("imported", { rows, events: await countEvents(log), durationMs });
    await log.bookmark("imported");
    const imported = await fingerprints(client);
    const written = await runErrands(dataSource, releaseOneErrands);
    return { written, imported, uncaptured: (await log.status()).uncaptured };
  } finally {
    await client.end();
    await dataSource.destroy();
  }
}
