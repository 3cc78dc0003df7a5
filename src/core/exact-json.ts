/**
 * JSON.parse that loses no digit: a number which JavaScript would round or make infinite comes as a string, as values of int8 and
 * numeric columns do. Other numbers stay numbers, so only a document that holds such a number differs.
 */
export function parseExactly(json: string): unknown {
  return JSON.parse(mayRound.test(json) ? quoteInexactNumbers(json) : json);
}

/** What a number that is not exact looks like at least: sixteen digits, or an exponent. Cheap, and rarely true. */
const mayRound = /\d[\d.]{15}|\d[eE]/;

function quoteInexactNumbers(json: string): string {
  let exact = "";
  let done = 0;
  const part = /"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
  for (let found = part.exec(json); found !== null; found = part.exec(json)) {
    const [token] = found;
    if (token === '"') part.lastIndex = endOfString(json, part.lastIndex);
    else if (!isExact(token)) {
      exact += `${json.slice(done, found.index)}"${token}"`;
      done = part.lastIndex;
    }
  }
  return exact + json.slice(done);
}

/** Just behind the quote that ends a string, from a place inside it. */
function endOfString(json: string, from: number): number {
  for (let end = json.indexOf('"', from); ; end = json.indexOf('"', end + 1)) {
    let first = end;
    while (json[first - 1] === "\\") first--;
    if ((end - first) % 2 === 0) return end + 1;
  }
}

function isExact(token: string): boolean {
  const number = Number(token);
  const digits = token
    .replace(/[eE].*$/, "")
    .replaceAll(/\D/g, "")
    .replaceAll(/^0+|0+$/g, "");
  if (!Number.isFinite(number) || (number === 0 && digits !== "")) return false;
  if (digits.length <= 15 || String(number) === token) return true;
  return /^-?\d+$/.test(token) && BigInt(number) === BigInt(token);
}
