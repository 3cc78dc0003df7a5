import { pointsEntities, pointsLoad } from "../log/points-load.js";
import { tailEntities, tailLoad } from "../log/tail-load.js";
import { Application, type Setting } from "../replay/application.js";
import { seeded } from "../seeded.js";
import { expectThat, type Part } from "./part.js";

const writers = 16;

async function withApplication<T>(setting: Setting, work: (app: Application) => Promise<T>): Promise<T> {
  const app = new Application(setting);
  try {
    await app.start();
    return await work(app);
  } finally {
    await app.stop();
  }
}

/** Events that a tail follows while they are written. */
export const tail: Part = {
  full: 100_000,
  round: 5_000,
  run: (events, { seed, onProgress }) =>
    withApplication({ entities: tailEntities }, async ({ url, log }) => {
      const counts = await tailLoad({ url, log, events, writers, random: seeded(seed), onProgress });
      const { missed, doubled, outOfOrder, naiveMissed } = counts;
      expectThat(
        missed + doubled + outOfOrder === 0,
        `${missed} missed, ${doubled} doubled, ${outOfOrder} out of order of ${counts.events}`,
      );
      expectThat(naiveMissed > 0, "the reader by position > mark missed nothing: the run proves nothing");
      return { ...counts };
    }),
};

/** Random points, each a position and a time, cut after transactions of many writers. */
export const points: Part = {
  full: 300,
  round: 15,
  run: (wanted, { seed, onProgress }) =>
    withApplication({ entities: pointsEntities }, async ({ url, dataSource }) => {
      const counts = await pointsLoad({
        url,
        dataSource,
        writers,
        transactions: Math.max(700, wanted * 7),
        points: wanted,
        bookmarks: Math.max(12, Math.round(wanted / 5)),
        random: seeded(seed),
        onProgress,
      });
      const { ours, naiveTime, naivePosition, unstable, bookmarks, bookmarksWrong } = counts;
      const { cuts, ...wrong } = ours;
      expectThat(
        Object.values(wrong).every((found) => found === 0),
        `cuts that are wrong: ${JSON.stringify(ours)}`,
      );
      expectThat(unstable === 0, `${unstable} points came down to something else later`);
      expectThat(bookmarksWrong === 0, `${bookmarksWrong} of ${bookmarks} bookmarks are not what a reader saw`);
      for (const naive of [naiveTime, naivePosition])
        expectThat(naive.torn > 0 && naive.sums > 0, "naive cuts were right: the run proves nothing");
      const { committed, rolledBack, failed } = counts;
      return {
        cuts,
        bookmarks,
        committed,
        rolledBack,
        failed,
        "naive cuts by time torn": naiveTime.torn,
        "naive cuts by position torn": naivePosition.torn,
      };
    }),
};
