import pg from "pg";
import { startProxy } from "./messages/proxy.js";
import { median } from "./rounds.js";
import { rounded } from "./report.js";

/**
 * Runs `work` with the same databases at the end of a network whose round trip takes `roundTripMs`, by a proxy in this process each;
 * with the databases themselves for 0. The notes say what a round trip came to, since timers count whole milliseconds.
 */
export async function withNetwork<T>(
  urls: readonly string[],
  roundTripMs: number,
  work: (urls: readonly string[], notes: readonly string[]) => Promise<T>,
): Promise<T> {
  if (roundTripMs === 0) return work(urls, []);
  const proxies = await Promise.all(urls.map((url) => startProxy(url, { delayMs: roundTripMs / 2 })));
  try {
    const through = proxies.map(({ url }) => url);
    const measured = rounded(await roundTrip(through[0] ?? ""));
    return await work(through, [
      `network: ${roundTripMs} ms asked for; a round trip takes ${measured} ms (median of 50)`,
    ]);
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}

async function roundTrip(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const samples: number[] = [];
    for (let time = 0; time < 50; time++) {
      const started = performance.now();
      await client.query("select 1");
      samples.push(performance.now() - started);
    }
    return median(samples);
  } finally {
    await client.end();
  }
}
