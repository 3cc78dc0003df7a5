/** What the Client needs to know of a statement's text. */

/** The text without the blanks and comments in front. */
export function stripped(text: string): string {
  let rest = text.trimStart();
  for (;;) {
    const comment = /^(?:--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)/.exec(rest);
    if (comment === null) return rest;
    rest = rest.slice(comment[0].length).trimStart();
  }
}

/** What is no command whatever it holds: strings in all their forms, identifiers, comments. */
const quoted =
  /\be'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])(\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[^]*?\1|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\//gi;
/** A function's body in the SQL standard's form ends with END. */
const atomicBody = /\bbegin\s+atomic\b[^]*?;\s*end\b/gi;
const begin = /^(?:begin|start\s+transaction)\b[^;]*/i;
const ends = /(?:^|;)\s*(?:commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i;
const rollsBackToSavepoint = /(?:^|;)\s*rollback\s+(?:work\s+|transaction\s+)?to\b/i;
const sessionOnly = /^(?:set|show|reset|savepoint|release|rollback|listen|unlisten|deallocate|discard|checkpoint)\b/i;
const transactional = /^(?:insert|update|delete|merge|with|select|values|table|copy|truncate|execute)\b/i;

/** Where a transaction's first command ends in the text, or -1: what is put there runs inside it. */
export function endOfBegin(text: string): number {
  const rest = stripped(text);
  const match = begin.exec(rest);
  return match === null ? -1 : text.length - rest.length + match[0].length;
}

export function endsTransaction(text: string): boolean {
  return commands(text, ends);
}

export function returnsToSavepoint(text: string): boolean {
  return commands(text, rollsBackToSavepoint);
}

/** Whether the text has such a command: not in a literal, an identifier, a comment, or the body of a function or block. */
function commands(text: string, command: RegExp): boolean {
  if (!command.test(stripped(text))) return false;
  const bare = text.replace(quoted, (part) => (/^(?:--|\/\*)/.test(part) ? " " : "''")).replace(atomicBody, "''");
  return command.test(stripped(bare));
}

/** Whether the statement may write rows, itself or through a function: only then is who and why told with it. */
export function mayWrite(text: string): boolean {
  return !sessionOnly.test(stripped(text));
}

/** Whether the statement may be put into a transaction of ours: not so VACUUM, or a procedure that commits. */
export function fitsInTransaction(text: string): boolean {
  return transactional.test(stripped(text));
}

const name = String.raw`(?:"(?:[^"]|"")+"|[\w$]+)`;
const target = new RegExp(
  String.raw`\b(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|merge\s+into(?:\s+only)?|truncate(?:\s+table)?(?:\s+only)?|copy)\s+(${name}(?:\s*\.\s*${name})?)`,
  "gi",
);

/** The tables that a statement names as targets of a write, as the database spells them, with their schema where it is given. */
export function writtenTables(text: string): string[] {
  return [...text.matchAll(target)].map((match) =>
    [...(match[1] ?? "").matchAll(new RegExp(name, "g"))].map(([part]) => spelled(part)).join("."),
  );
}

function spelled(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase();
}
