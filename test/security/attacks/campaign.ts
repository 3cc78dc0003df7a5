import { expect } from "chai";
import type { Attack } from "./attack.js";
import { Scene } from "./scene.js";

const all = process.env["ATTACKS"] === "all";

/** One log for all attacks; after one that succeeds the next begins with a log of its own. */
let scene: Scene | undefined;

export async function stopScene(): Promise<void> {
  const stopped = scene;
  scene = undefined;
  await stopped?.stop();
}

/**
 * A test for each attack. In each run of the tests only some of a list are tried, so that lists and set-up go on working;
 * `npm run attacks` tries all.
 */
export function repelled(attacks: readonly Attack[]): void {
  for (const attack of share(attacks, 8)) {
    it(`are repelled: ${attack.as}: ${attack.title}`, async function () {
      this.timeout(60_000);
      expect(await outcomeOf(attack)).to.equal("");
    });
  }
}

/** A test for each attack that is known to succeed: what SECURITY.md does not promise. */
export function possible(attacks: readonly (Attack & { readonly outcome: RegExp })[]): void {
  for (const attack of share(attacks, 3)) {
    it(`remain possible: ${attack.as}: ${attack.title}`, async function () {
      this.timeout(60_000);
      expect(await outcomeOf(attack)).to.match(attack.outcome);
    });
  }
}

function share<Tried>(list: readonly Tried[], one: number): readonly Tried[] {
  return all ? list : list.filter((_, index) => index % one === 0);
}

/** What the attack and the scene say that it came to; empty if it was repelled. */
async function outcomeOf({ as, run, ...allowed }: Attack): Promise<string> {
  scene ??= await Scene.start();
  let outcome: string | undefined;
  try {
    await scene.begin(as);
    const said = await run(scene);
    outcome = [said ?? "", await scene.outcome(allowed)].filter((text) => text !== "").join("; ");
    return outcome;
  } finally {
    if (outcome !== "") await stopScene();
  }
}
