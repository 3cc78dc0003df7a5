/** The word that was probably meant by one that is mistyped: a letter in three may be wrong. */
export function nearest(mistyped: string, words: readonly string[]): string | undefined {
  const given = mistyped.slice(0, 50).toLowerCase();
  const near = words
    .map((word) => ({ word, edits: edits(given, word.toLowerCase()) }))
    .filter(({ edits }) => edits <= Math.max(1, given.length / 3))
    .sort((a, b) => a.edits - b.edits);
  return near[0]?.word;
}

/** How many letters must be put in, left out or replaced to make one word the other. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of from.split("").entries()) {
    const next = [index + 1];
    for (const [column, other] of to.split("").entries()) {
      const replaced = (row[column] ?? 0) + Number(letter !== other);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
