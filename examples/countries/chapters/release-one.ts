import { eventLog } from "../../../src/index.js";
import { releaseOne } from "../data-sources.js";
import { runErrands, type Written } from "../errands/errand.js";
import { releaseOneErrands } from "../errands/release-one.js";
import { importWorld } from "../import.js";
import { countEvents } from "../reading.js";
import type { Report } from "../report/report.js";
import { timed } from "./stage.js";

/** The application starts: tables, log, import, and a few edits while a currency still has a label. */
export async function runReleaseOne(url: string, report: Report): Promise<Written[]> {
  const dataSource = await releaseOne(url).initialize();
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
    return await runErrands(dataSource, releaseOneErrands);
  } finally {
    await dataSource.destroy();
  }
}
