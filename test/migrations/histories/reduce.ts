import type { Beside, MigrationHistory, Step } from "./history.js";
import type { Write } from "./writes.js";

/** What of a history stays: all whose place is not left out. Places are like "1.3.before.0". */
type Kept = (place: string) => boolean;

/**
 * A smaller history that fails as well, by leaving out halves, quarters and so on of its steps, then of its writes.
 * A history is a list of lists, so that this needs far fewer runs than the shrinking of every number in it.
 */
export async function reduced(
  history: MigrationHistory,
  fails: (smaller: MigrationHistory) => Promise<boolean>,
): Promise<MigrationHistory> {
  const out = new Set<string>();
  const without = (more: readonly string[]) => part(history, (place) => !out.has(place) && !more.includes(place));
  for (const places of [stepsOf(history), writesOf(history)]) {
    for (let size = Math.ceil(places.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = places.length - size; from > -size; from -= size) {
        const more = places.slice(Math.max(from, 0), from + size).filter((place) => !out.has(place));
        if (more.length > 0 && (await fails(without(more)))) for (const place of more) out.add(place);
      }
    }
  }
  return without([]);
}

function stepsOf({ releases }: MigrationHistory): string[] {
  return releases.flatMap((steps, release) => [`${release}`, ...steps.map((_, step) => `${release}.${step}`)]);
}

/** Found by asking for each, so that the places are named in one function alone. */
function writesOf(history: MigrationHistory): string[] {
  const steps = new Set(stepsOf(history));
  const places: string[] = [];
  part(history, (place) => {
    if (!steps.has(place)) places.push(place);
    return true;
  });
  return places;
}

function part({ first, beginning, releases, end }: MigrationHistory, kept: Kept): MigrationHistory {
  return {
    first,
    beginning: some(beginning, "beginning", kept),
    releases: releases.flatMap((steps, release) =>
      kept(`${release}`)
        ? [
            steps.flatMap((step, index) =>
              kept(`${release}.${index}`) ? [partOf(step, `${release}.${index}`, kept)] : [],
            ),
          ]
        : [],
    ),
    end: some(end, "end", kept),
  };
}

function partOf(step: Step, place: string, kept: Kept): Step {
  if (step.kind === "writes") return { ...step, writes: some(step.writes, `${place}.writes`, kept) };
  if (step.kind !== "change") return step;
  const beside: Beside | null =
    step.beside === null || !kept(`${place}.beside`)
      ? null
      : { ...step.beside, writes: some(step.beside.writes, `${place}.beside`, kept) };
  return {
    ...step,
    beside,
    before: some(step.before, `${place}.before`, kept),
    between: some(step.between, `${place}.between`, kept),
    after: some(step.after, `${place}.after`, kept),
  };
}

function some(writes: readonly Write[], place: string, kept: Kept): readonly Write[] {
  return writes.filter((_, index) => kept(`${place}.${index}`));
}
