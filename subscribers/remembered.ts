const longest = 4_096;
const most = 500;

/**
 * The same, but what it found out about a text is kept: an application sends the same few statements over and over, and to read
 * one costs more than to look it up. Long texts, which rarely come again, are not kept.
 */
export function remembered<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = read(text);
    if (text.length > longest) return made;
    if (known.size >= most) known.clear();
    known.set(text, made);
    return made;
  };
}
