import type { Capture } from "../../src/index.js";
import { signIn } from "./chapters/signing-in.js";
import { mend } from "./chapters/mending.js";
import { read, tamper } from "./chapters/reading.js";
import { runReleaseOne } from "./chapters/release-one.js";
import { migrate, write } from "./chapters/release-two.js";
import { replay } from "./chapters/replaying.js";
import { onStage } from "./chapters/stage.js";
import { tellUncaptured } from "./chapters/uncaptured.js";
import type { Report } from "./report/report.js";

/** Runs the whole demo on an empty database, each chapter reported as it ends. Returns what did not come back equal. */
export async function tellStory(url: string, capture: Capture, report: Report): Promise<string[]> {
  const started = performance.now();
  const before = await runReleaseOne(url, capture, report);
  const differences = await onStage(url, capture, report, async (stage) => {
    await migrate(stage);
    const written = await write(stage, before.written);
    const noted = capture === "trigger" ? written : await tellUncaptured(stage, before);
    await read(stage);
    await tamper(stage);
    await replay(stage, noted);
    await mend(stage, noted);
    await signIn(stage);
  });
  report.tell("closing", { differences, durationMs: Math.round(performance.now() - started) });
  return differences;
}
