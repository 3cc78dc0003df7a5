/** Keys remembered at most: beyond, the oldest are forgotten. */
const mostKeys = 10_000;
const minuteMs = 60_000;

/** Lets so many calls of one key through in a minute. */
export function rateLimit(perMinute: number): (key: string) => boolean {
  const windows = new Map<string, { began: number; calls: number }>();
  return (key) => {
    const now = Date.now();
    const known = windows.get(key);
    const window = known !== undefined && now - known.began < minuteMs ? known : { began: now, calls: 0 };
    windows.delete(key);
    windows.set(key, window);
    if (windows.size > mostKeys) {
      const [oldest] = windows.keys();
      if (oldest !== undefined) windows.delete(oldest);
    }
    return ++window.calls <= perMinute;
  };
}
