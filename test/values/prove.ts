import { expect } from "chai";
import fc from "fast-check";
import { Application } from "../replay/application.js";
import { randomValue, type RandomValue } from "./random-values.js";
import { columnOf, difference, specimenSetting, Specimens } from "./specimens.js";

export interface ValueCounts {
  readonly values: number;
  /** Those that PostgreSQL refused, with nothing recorded of them. */
  readonly refused: number;
}

const batch = 1_000;

/** Random values, each by one path that can carry it: replayed byte-equal, or refused with an error that has a code. */
export async function proveValues(
  values: number,
  { seed, onProgress }: { seed: number; onProgress?: (done: number) => void },
): Promise<ValueCounts> {
  const app = new Application(specimenSetting);
  let refused = 0;
  try {
    await app.start();
    for (let done = 0; done < values; done += batch) {
      const size = Math.min(batch, values - done);
      await app.startOver();
      refused += await proveBatch(app, fc.sample(randomValue, { numRuns: size, seed: seed + done }));
      onProgress?.(done + size);
    }
  } finally {
    await app.stop();
  }
  return { values, refused };
}

async function proveBatch(app: Application, values: readonly RandomValue[]): Promise<number> {
  const specimens = new Specimens(app);
  const paths = Object.entries(specimens.paths);
  let [refused, rows] = [0, 0];
  for (const [index, { type, value }] of values.entries()) {
    const [path, write] = paths[index % paths.length] ?? expect.fail("no path");
    try {
      await write(columnOf(type), value);
      rows++;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      expect(code, `${type} ${value} by ${path}: ${message}`).to.match(/^[0-9A-Z]{5}$/);
      refused++;
      if (path === "update") rows++; // the row that was to be updated
    }
  }
  const live = await specimens.rows();
  expect(live).to.have.length(rows);
  await app.wipe();
  await app.log.replay();
  expect(difference(await specimens.rows(), live), "rows after a replay into an empty table").to.deep.equal([]);
  expect((await app.log.verify()).differences).to.deep.equal([]);
  return refused;
}
