import proxyaddr from "proxy-addr";

/** As Express has it. */
export type TrustProxy = boolean | number | string | readonly string[] | ((address: string, hop: number) => boolean);

/** Compiles `trustProxy` once. Throws where it holds what is no address. */
export function compiledTrust(trust: TrustProxy): (address: string, hop: number) => boolean {
  if (typeof trust === "boolean") return () => trust;
  if (typeof trust === "number") return (_, hop) => hop < trust;
  if (typeof trust === "function") return trust;
  return proxyaddr.compile(typeof trust === "string" ? trust.split(",").map((part) => part.trim()) : [...trust]);
}
