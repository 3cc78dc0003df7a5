import { commandsOf, masked, unmasked } from "./sql-text.js";

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

/** A text without any of these words has no command about transactions: most are not looked at further. */
const transactionWord = /\b(?:commit|end|abort|prepare|rollback|savepoint|release)\b/i;
const tableCommand = /\b(?:create|alter|drop)\s/i;
const beginWord = /\b(?:begin|start)\b/i;
const begin = /^(?:begin|start\s+transaction)\b[^;]*/i;
const end = String.raw`(?:commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b`;
const ends = new RegExp(String.raw`(?:^|;)\s*${end}`, "i");
const turns = new RegExp(
  String.raw`(?:^|;)\s*(?:(begin|start\s+transaction)\b|${end}\s*(?:(?:work|transaction)\s+)?(and\s+chain\b)?)`,
  "gi",
);
const keeps = /(?:^|;)\s*(?:commit(?!\s+prepared\b)|end|prepare\s+transaction)\b/i;
const savepoints =
  /(?:^|;)\s*(savepoint|release|rollback(?=\s+(?:work\s+|transaction\s+)?to\b))\s+(?:(?:work|transaction)\s+)?(?:to\s+)?(?:savepoint\s+)?(?:"((?:[^"]|"")+)"|([\w$]+))/gi;
const rollsBackToSavepoint = /(?:^|;)\s*rollback\s+(?:work\s+|transaction\s+)?to\b/i;
/** SET CONSTRAINTS runs deferred triggers, and so may what stands behind any other of these. */
const sessionOnly =
  /^(?:begin|start|set(?![^;]*\bconstraints\b)|show|reset|savepoint|release|rollback|listen|unlisten|deallocate|discard|checkpoint)\b[^;]*;?\s*$/i;
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

/** Whether a transaction is open behind the text, by whether one is open in front of it. */
export function isOpenBehind(text: string, open: boolean): boolean {
  const found = stripped(commandsOf(text)).matchAll(turns);
  return [...found].reduce(
    (before, [, begins, chains]) => begins !== undefined || (before && chains !== undefined),
    open,
  );
}

/** Whether the text ends the transaction by keeping what it did. */
export function keepsTransaction(text: string): boolean {
  return commands(text, keeps);
}

export function returnsToSavepoint(text: string): boolean {
  return commands(text, rollsBackToSavepoint);
}

/** Whether the text has a command that begins or ends a transaction or goes back in it: what is set before it may not hold for all of it. */
export function movesTransaction(text: string): boolean {
  return endOfBegin(text) >= 0 || isOpenBehind(text, false) || endsTransaction(text) || returnsToSavepoint(text);
}

/** Whether the text has such a command: not in a literal, an identifier, a comment, or the body of a function or block. */
function commands(text: string, command: RegExp): boolean {
  return transactionWord.test(text) && command.test(stripped(commandsOf(text)));
}

/** The commands about savepoints in a text, in order; names as the server compares them. */
export function savepointsOf(text: string): { command: "savepoint" | "release" | "rollback"; name: string }[] {
  if (!transactionWord.test(text)) return [];
  return [...stripped(masked(text)).matchAll(savepoints)].map(([, command = "", identifier, bare = ""]) => ({
    command: command.toLowerCase() as "savepoint",
    name: identifier === undefined ? bare.toLowerCase() : unmasked(identifier).replaceAll('""', '"'),
  }));
}

/** Whether the statement may write rows, itself or through a function: only then is who and why told with it. */
export function mayWrite(text: string): boolean {
  return !sessionOnly.test(stripped(text));
}

/** Whether the statement makes, changes or drops tables. */
export function changesTables(text: string): boolean {
  return tableCommand.test(text) && /(?:^|;)\s*(?:create|alter|drop)\b/i.test(stripped(commandsOf(text)));
}

/** Whether the statement may be put into a transaction of ours: not so VACUUM, or a procedure that commits, or what begins one. */
export function fitsInTransaction(text: string): boolean {
  return transactional.test(stripped(text)) && !(beginWord.test(text) && isOpenBehind(text, false));
}
