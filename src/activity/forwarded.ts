import { type AddressPrivacy, endpointOf, keptAddress } from "./address.js";

/** One hop of RFC 7239: its parameters in the order given, names in lower case, values without quotes. */
type Hop = readonly (readonly [name: string, value: string])[];

/** A header is read this far. */
const longest = 8_192;

/**
 * Reads a Forwarded header: names in any case, quoted values, hops as a list. What is no parameter is left out.
 */
function hopsOf(header: string): Hop[] {
  const hops: (readonly [string, string])[][] = [[]];
  const pattern = /\s*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))|([;,])|[^;,]+)/gy;
  for (const [, name, quoted, token, separator] of header.slice(0, longest).matchAll(pattern)) {
    if (separator === ",") hops.push([]);
    else if (name !== undefined) {
      hops.at(-1)?.push([name.toLowerCase(), quoted === undefined ? (token ?? "") : quoted.replaceAll(/\\(.)/g, "$1")]);
    }
  }
  return hops.filter((hop) => hop.length > 0);
}

/** The clients that a Forwarded header names, the nearest to the client first; what is no address stays out. */
export function forwardedClients(header: string): string[] {
  return hopsOf(header).flatMap((hop) => {
    const value = hop.find(([name]) => name === "for")?.[1];
    const ip = endpointOf(value)?.ip;
    return ip === undefined ? [] : [ip];
  });
}

/** A Forwarded header as it is kept: addresses under `for` and `by` as privacy has it, identifiers such as `_hidden` as they are. */
export function keptForwarded(header: string | null, privacy: AddressPrivacy): string | null {
  if (header === null || privacy.ipPrivacy === "exclude") return null;
  if (privacy.ipPrivacy === "none") return header;
  const hops = hopsOf(header).map((hop) =>
    hop
      .flatMap(([name, value]) => {
        const kept = name === "for" || name === "by" ? keptNode(value, privacy) : value;
        return kept === null ? [] : [`${name}=${quotedWhereNeeded(kept)}`];
      })
      .join(";"),
  );
  return hops.filter((hop) => hop !== "").join(", ") || null;
}

/** The same for X-Forwarded-For, a list of addresses. */
export function keptForwardedFor(header: string | null, privacy: AddressPrivacy): string | null {
  if (header === null || privacy.ipPrivacy === "exclude") return null;
  if (privacy.ipPrivacy === "none") return header;
  const kept = header
    .slice(0, longest)
    .split(",")
    .flatMap((part) => keptNode(part.trim(), privacy) ?? []);
  return kept.join(", ") || null;
}

/** Whatever is neither an address nor one of the identifiers of RFC 7239 could hold one: it is left out. */
function keptNode(value: string, privacy: AddressPrivacy): string | null {
  const endpoint = endpointOf(value);
  if (endpoint !== null) return keptAddress(endpoint.ip, privacy);
  return /^(?:unknown|_[\w.-]+)$/i.test(value) ? value : null;
}

function quotedWhereNeeded(value: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}
