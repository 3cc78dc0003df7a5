/** Adds a finding to the list that a caller is told: what was expected where, and what was there. */
export type Find = (what: string, wanted: string, got: unknown) => void;

export function onlyKeys(value: object, known: readonly string[], at: string, find: Find): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) find(at, `made of ${known.join(", ")}`, key);
}

export function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
}
