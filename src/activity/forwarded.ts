import { type AddressPrivacy, endpointOf, keptAddress } from "./address.js";
import { storable } from "./redact.js";

/** One hop of RFC 7239: its parameters in the order given, names in lower case, values without quotes. */
type Hop = readonly (readonly [name: string, value: string])[];

/** A longer header is not believed, and kept no further than this: no chain of proxies writes so much, but a client may. */
const longest = 8_192;
const longestKept = 1_024;

/**
 * Splits a list at its commas, from its right end: what a trusted proxy appended is there, and whole. Read from the left, a quote
 * that a client never closes would take the proxy's own words with it. The element nearest to this server comes first.
 */
function* elementsOf(header: string): Generator<string> {
  let isQuoted = false;
  let end = header.length;
  for (let at = header.length - 1; at >= 0; at--) {
    if (header[at] === '"' && header[at - 1] !== "\\") isQuoted = !isQuoted;
    if (header[at] !== "," || isQuoted) continue;
    yield header.slice(at + 1, end);
    end = at;
  }
  yield header.slice(0, end);
}

/** Reads a hop: names in any case, quoted values. What is no parameter is left out. */
function hopOf(element: string): Hop {
  const hop: (readonly [string, string])[] = [];
  const pattern = /\s*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))|[;,]|[^;,]+)/gy;
  for (const [, name, quoted, token] of element.matchAll(pattern)) {
    if (name === undefined) continue;
    hop.push([name.toLowerCase(), quoted === undefined ? (token ?? "") : quoted.replaceAll(/\\(.)/g, "$1")]);
  }
  return hop;
}

/**
 * The clients that a header names, that of the nearest proxy first, as they are spelled: by `for` in Forwarded, "" for a hop
 * without it, and as they are in any other header, a list of addresses. None if the header is too long to be a proxy's.
 */
export function* clientsOf(name: string, header: string | null): Generator<string> {
  if (header === null || header.length > longest) return;
  if (name !== "forwarded") {
    for (const part of header.split(",").toReversed()) if (part.trim() !== "") yield part;
    return;
  }
  for (const element of elementsOf(header))
    if (element.trim() !== "") yield hopOf(element).find(([parameter]) => parameter === "for")?.[1] ?? "";
}

/** A Forwarded header as it is kept: addresses under `for` and `by` as privacy has it, identifiers such as `_hidden` as they are. */
export function keptForwarded(header: string | null, privacy: AddressPrivacy): string | null {
  if (header === null || privacy.ipPrivacy === "exclude") return null;
  if (privacy.ipPrivacy === "none") return rightEnd(header);
  const hops = [...elementsOf(header.slice(-longest))].toReversed().map((element) =>
    hopOf(element)
      .flatMap(([name, value]) => {
        const kept = name === "for" || name === "by" ? keptNode(value, privacy) : value;
        return kept === null ? [] : [`${name}=${quotedWhereNeeded(kept)}`];
      })
      .join(";"),
  );
  return rightEnd(hops.filter((hop) => hop !== "").join(", ")) || null;
}

/** The same for X-Forwarded-For, a list of addresses. */
export function keptForwardedFor(header: string | null, privacy: AddressPrivacy): string | null {
  if (header === null || privacy.ipPrivacy === "exclude") return null;
  if (privacy.ipPrivacy === "none") return rightEnd(header);
  const kept = header
    .slice(-longest)
    .split(",")
    .flatMap((part) => keptNode(part.trim(), privacy) ?? []);
  return rightEnd(kept.join(", ")) || null;
}

/** The end that proxies wrote, if it is too long to be kept whole. */
function rightEnd(list: string): string {
  const more = list.length - longestKept;
  return storable(more > 0 ? `[${more} more]${list.slice(-longestKept)}` : list);
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
