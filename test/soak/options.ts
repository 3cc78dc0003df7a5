import { parseArgs } from "node:util";
import type { Part } from "./part.js";

export interface SoakOptions {
  /** How often each part is done; a part that is not asked for is not there. */
  readonly counts: ReadonlyMap<string, number>;
  /** Done once, with a count at the end. (Default: again and again until stopped) */
  readonly once: boolean;
  readonly seed: number;
}

const usage = (
  parts: Readonly<Record<string, Part>>,
) => `npm run soak -- [--counts] [--only PART]… [--times N] [--seed N]
  --counts     the full counts, once (${Object.entries(parts)
    .map(([name, { full }]) => `${full} ${name}`)
    .join(", ")}); else goes on until stopped
  --only PART  only this part; may be given several times
  --times N    how often, in place of the part's full count; at once means --counts
  --seed N     of what is random by a seed`;

/** Throws an Error that says what is wrong. */
export function optionsOf(args: string[], parts: Readonly<Record<string, Part>>): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      counts: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      times: { type: "string" },
      seed: { type: "string" },
    },
  });
  const names = Object.keys(parts);
  const wrong = values.only.find((part) => !names.includes(part));
  if (wrong !== undefined) throw new Error(`--only takes ${names.join(", ")}, got: ${wrong}\n${usage(parts)}`);
  const [times, seed] = [numberOf("times", values.times, parts), numberOf("seed", values.seed, parts)];
  const once = values.counts || times !== undefined;
  const wanted = Object.entries(parts).filter(([name]) => values.only.length === 0 || values.only.includes(name));
  return {
    once,
    counts: new Map(wanted.map(([name, { full, round }]) => [name, times ?? (once ? full : round)])),
    seed: seed ?? Math.trunc(Math.random() * 2 ** 31),
  };
}

function numberOf(name: string, given: string | undefined, parts: Readonly<Record<string, Part>>): number | undefined {
  if (given === undefined) return undefined;
  const number = Number(given);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`--${name} takes a positive integer, got: ${given}\n${usage(parts)}`);
}
