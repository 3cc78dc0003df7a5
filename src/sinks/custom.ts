import type { ActivityEntry } from "../activity/entry.js";
import type { Sink } from "./sink.js";

/** Longer than this, a call is taken for lost and made again later. */
const answerMs = 30_000;

/** A function of the application's. A promise that never settles holds up its own sink only until the time is over. */
export function customSink(name: string, write: (batch: readonly ActivityEntry[]) => Promise<void>): Sink {
  return {
    name,
    write: async (batch) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`The sink ${name} did not answer in ${answerMs / 1000} s.`)),
          answerMs,
        );
        timer.unref();
      });
      try {
        await Promise.race([write(batch), late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
