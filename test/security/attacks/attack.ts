import type { Allowed, Attacker, Scene } from "./scene.js";

/** One way to read, forge, change, stop or mislead the log. */
export interface Attack extends Allowed {
  readonly title: string;
  readonly as: Attacker;
  /** Returns what it came to itself, in words, if the scene cannot see that. */
  readonly run: (scene: Scene) => Promise<string | undefined | void>;
}

/** An attack that is a list of statements, in one session. */
export function statements(
  as: Attacker,
  title: string,
  list: readonly string[] | ((scene: Scene) => Promise<readonly string[]>),
  allowed: Allowed = {},
): Attack {
  return {
    title,
    as,
    ...allowed,
    run: async (scene) => {
      await scene.run(typeof list === "function" ? await list(scene) : list);
    },
  };
}
