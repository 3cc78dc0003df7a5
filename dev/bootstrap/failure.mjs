/** A failure to be told in its message alone: nobody is helped by our stack. */
export class Failure extends Error {}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
