import type { CheckedActivityOptions } from "./options.js";

/** Which actions and strategies are recorded: what is included, without what is excluded. */
export function selectionOf({
  includeActions,
  excludeActions,
  includeStrategies,
  excludeStrategies,
}: CheckedActivityOptions): (action: string, strategy: string | null) => boolean {
  const [actions, notActions, strategies, notStrategies] = [
    includeActions && anyOf(includeActions),
    anyOf(excludeActions),
    includeStrategies && anyOf(includeStrategies),
    anyOf(excludeStrategies),
  ];
  return (action, strategy) =>
    (actions?.(action) ?? true) &&
    !notActions(action) &&
    // An entry without a strategy is none of those that a list of strategies is about.
    (strategy === null || ((strategies?.(strategy) ?? true) && !notStrategies(strategy)));
}

/** Whether a name is one of these; `*` stands for anything. */
export function anyOf(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false;
  const expressions = patterns.map((pattern) => pattern.split("*").map(escaped).join(".*"));
  const all = new RegExp(`^(?:${expressions.join("|")})$`, "s");
  return (name) => all.test(name);
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
