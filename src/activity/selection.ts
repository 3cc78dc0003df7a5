type Names = readonly string[] | undefined;

/** Of the options, what is about names. */
interface Selection {
  readonly actions?: Names;
  readonly strategies?: Names;
  readonly includeActions?: Names;
  readonly excludeActions?: Names;
  readonly includeStrategies?: Names;
  readonly excludeStrategies?: Names;
}

/** What the library itself records. */
const ownActions = ["read", "alert", "gap", "activity.*"];

/** Which actions and strategies are recorded: what is included, without what is excluded. */
export function selectionOf({
  includeActions,
  excludeActions = [],
  includeStrategies,
  excludeStrategies = [],
}: Selection): (action: string, strategy: string | null) => boolean {
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

/** The names in the lists that are none of the actions and strategies told: they would include or exclude nothing. */
export function unknownNames(
  options: Selection,
): { readonly list: string; readonly known: readonly string[]; readonly name: string }[] {
  const { actions, strategies, includeActions, excludeActions, includeStrategies, excludeStrategies } = options;
  const lists = [
    ["includeActions", includeActions, actions && [...actions, ...ownActions]],
    ["excludeActions", excludeActions, actions && [...actions, ...ownActions]],
    ["includeStrategies", includeStrategies, strategies],
    ["excludeStrategies", excludeStrategies, strategies],
  ] as const;
  return lists.flatMap(([list, patterns = [], known]) =>
    known === undefined
      ? []
      : patterns
          .filter((pattern) => !anyOf(known)(pattern) && !known.some(anyOf([pattern])))
          .map((name) => ({ list, known, name })),
  );
}

/** Tells once of each action and strategy that is recorded and was not told in the options. */
export function unknownWarner(
  { actions, strategies }: Selection,
  warn: (message: string) => void,
): (action: string, strategy: string | null) => void {
  const isKnown = { action: actions && anyOf([...actions, ...ownActions]), strategy: strategies && anyOf(strategies) };
  const told = new Set<string>();
  const check = (kind: "action" | "strategy", name: string) => {
    if (isKnown[kind]?.(name) !== false || told.has(`${kind} ${name}`) || told.size >= 1_000) return;
    told.add(`${kind} ${name}`);
    warn(
      `The ${kind} "${name}" is recorded, but is none of those in the options (activity.${kind === "action" ? "actions" : "strategies"}).`,
    );
  };
  return (action, strategy) => {
    check("action", action);
    if (strategy !== null) check("strategy", strategy);
  };
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
