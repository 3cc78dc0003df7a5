import { parseArgs } from "node:util";

/** The full counts, by part. */
const full = {
  histories: 1_000,
  "kill writer": 200,
  "stop server": 30,
  "kill backend": 35,
  "terminate backend": 35,
  cut: 50,
  "lose answer": 50,
} as const;

export type Part = keyof typeof full;
export const parts = Object.keys(full) as Part[];

export interface SoakOptions {
  /** How often each part is done; a part that is not asked for is not there. */
  readonly counts: ReadonlyMap<Part, number>;
  /** Done once, with a count at the end. (Default: again and again until stopped) */
  readonly once: boolean;
  readonly seed: number;
}

const usage = `npm run soak -- [--counts] [--only PART]… [--times N] [--seed N]
  --counts     the full counts, once (${parts.map((part) => `${full[part]} ${part}`).join(", ")}); else goes on until stopped
  --only PART  only this part; may be given several times
  --times N    how often, in place of the part's full count; at once means --counts
  --seed N     of the histories`;

/** Throws an Error that says what is wrong. */
export function optionsOf(args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      counts: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      times: { type: "string" },
      seed: { type: "string" },
    },
  });
  const wrong = values.only.find((part) => !parts.includes(part as Part));
  if (wrong !== undefined) throw new Error(`--only takes ${parts.join(", ")}, got: ${wrong}\n${usage}`);
  const times = values.times === undefined ? undefined : Number(values.times);
  if (times !== undefined && !(Number.isSafeInteger(times) && times > 0))
    throw new Error(`--times takes a positive integer, got: ${values.times}\n${usage}`);
  const once = values.counts || times !== undefined;
  const wanted = parts.filter((part) => values.only.length === 0 || values.only.includes(part));
  return {
    once,
    counts: new Map(wanted.map((part) => [part, times ?? (once ? full[part] : Math.ceil(full[part] / 50))])),
    seed: values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed),
  };
}
