import { remembered } from "./remembered.js";

/** What the text of a statement shows once comments and literals are out of the way. */

/** Strings in all their forms, quoted identifiers, comments: whichever begins first, as the lexer meets them. */
const tokens =
  /\be'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[^]*?\1|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\//gi;
/** A function's body in the SQL standard's form ends with END. */
const atomicBody = /\bbegin\s+atomic\b[^]*?;\s*end\b/gi;

/** Stands for a semicolon that separates nothing. */
const semicolon = "\uE000";

/** The text with comments as blanks and literals as ''. Identifiers stay; `unmasked` gives them as they were. */
export const masked = remembered((text) => {
  if (!/[';$]|--|\/\*/.test(text)) return text;
  return text.replace(tokens, (token) => {
    if (token.startsWith('"')) return token.replaceAll(";", semicolon);
    return token.startsWith("--") || token.startsWith("/*") ? " " : "''";
  });
});

/** The text with nothing in it but commands: no literals, no identifiers in quotes, no comments, no bodies of functions. */
export function commandsOf(text: string): string {
  return text
    .replace(tokens, (token) => (token.startsWith("--") || token.startsWith("/*") ? " " : "''"))
    .replace(atomicBody, "''");
}

/** A part of a masked text, such as a name, as it was. */
export function unmasked(part: string): string {
  return part.replaceAll(semicolon, ";");
}

/** The text with comments as blanks; literals stay, for what is code inside them. */
export function withoutComments(text: string): string {
  return text.replace(tokens, (token) => (token.startsWith("--") || token.startsWith("/*") ? " " : token));
}

/** A text's statements, from its masked form. */
export function statementsOf(maskedText: string): string[] {
  return maskedText.includes(";") ? maskedText.split(";") : [maskedText];
}

const longest = 300;

/** What statements of one kind have in common: no values, no counts of values. */
export function shapeOf(text: string): string {
  const shape = unmasked(masked(text))
    .replaceAll(/''|\$\d+|(?<![\w"$])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?\b/gi, "?")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\?(?: ?, ?(?:\?|default))+/gi, "?, …")
    .replaceAll(/(\((?:[^()]|\([^()]*\))*\))(?: ?, ?\1)+/g, "$1, …")
    .trim();
  return shape.length > longest ? `${shape.slice(0, longest)}…` : shape;
}
