import { killReplayingProcesses, stopServers } from "../replay/crashes.js";
import { replayUnderWriters, twoReplaysAtOnce } from "../replay/under-load.js";
import { expectNone, expectThat, type Part } from "./part.js";

export const underWriters: Part = {
  full: 20,
  round: 4,
  async run(replays, { onProgress }) {
    const { failures, commits, p95, ...counts } = await replayUnderWriters({ replays, writers: 16, onProgress });
    expectNone(failures);
    expectThat(counts.replays === replays, `${counts.replays} of ${replays} got through`);
    return { commits, "ms at most for 95 of 100": Math.round(p95) };
  },
};

export const twoAtOnce: Part = {
  full: 20,
  round: 2,
  async run(times, { onProgress }) {
    const refused = await twoReplaysAtOnce(times, onProgress);
    expectThat(refused === times, `one of two was refused ${refused} times of ${times}`);
    return { refused };
  },
};

export const killedReplays: Part = {
  full: 30,
  round: 2,
  async run(kills, { onProgress }) {
    const { failures, before } = await killReplayingProcesses({ kills, onProgress });
    expectNone(failures);
    return { "before the replay's commit": before };
  },
};

export const stoppedReplays: Part = {
  full: 30,
  round: 2,
  async run(stops, { onProgress }) {
    const { failures, before } = await stopServers({ stops, onProgress });
    expectNone(failures);
    return { "before the replay's commit": before };
  },
};
