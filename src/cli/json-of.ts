/** Positions as strings, as everywhere in JSON. What is nested too deeply for JSON.stringify is cut off, and says so. */
export function jsonOf(value: unknown, indent?: number): string {
  const text = (of: unknown) =>
    JSON.stringify(of, (_key, part: unknown) => (typeof part === "bigint" ? String(part) : part), indent);
  try {
    return text(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return text(cutOff(value, mostLevels));
  }
}

/** A document may be nested deeper: it is read, but only written so far. */
const mostLevels = 500;

function cutOff(value: unknown, levels: number): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (levels === 0) return "[nested too deeply]";
  if (Array.isArray(value)) return value.map((part) => cutOff(part, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, cutOff(part, levels - 1)]));
}
