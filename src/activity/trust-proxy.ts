import proxyaddr from "proxy-addr";

/** As Express has it. */
export type TrustProxy = boolean | number | string | readonly string[] | ((address: string, hop: number) => boolean);

export function isTrustProxy(given: unknown): given is TrustProxy {
  if (typeof given === "number") return Number.isInteger(given) && given >= 0;
  const isList = Array.isArray(given) && given.every((item) => typeof item === "string");
  if (!isList && !["boolean", "string", "function"].includes(typeof given)) return false;
  try {
    compiledTrust(given as TrustProxy);
    return true;
  } catch {
    return false;
  }
}

/** Which proxies are believed, and the one header that they write. */
export interface Proxies {
  readonly isTrusted: (address: string, hop: number) => boolean;
  readonly header: string;
}

/** Compiles `trustProxy` once. Throws where it holds what is no address. */
export function compiledTrust(trust: TrustProxy): (address: string, hop: number) => boolean {
  if (typeof trust === "boolean") return () => trust;
  if (typeof trust === "number") return (_, hop) => hop < trust;
  if (typeof trust === "function") return trust;
  return proxyaddr.compile(typeof trust === "string" ? trust.split(",").map((part) => part.trim()) : [...trust]);
}
