/**
 * What a terminal would take for a command, or does not show, or shows in another order: controls (C0, C1, ESC), format
 * characters (zero-width, bidirectional, tags), line separators, lone surrogates, fillers. What only changes the form of
 * the character in front of it, as in emoji, stays.
 */
const hidden = /(?![\ufe00-\ufe0f])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** Text of others, such as names, with what is hidden in it spelled out. */
export function printable(text: string): string {
  return text.replaceAll(hidden, spelledOut);
}

/**
 * The same for text of several lines, and for JSON, which stays the same document: there, what is spelled out is the
 * character itself.
 */
export function printableLines(text: string): string {
  return text.replaceAll(hidden, (character) => (character === "\n" ? character : spelledOut(character)));
}

function spelledOut(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
