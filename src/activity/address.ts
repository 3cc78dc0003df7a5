import { isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";
import { keyedHash } from "./keyed-hash.js";
import type { CheckedActivityOptions } from "./options.js";

/** An address and the port that came with it. */
export interface Endpoint {
  readonly ip: string;
  readonly port: number | null;
}

const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/;
const withPort = /^([^:]*):(\d{1,5})$/;

/**
 * Reads an address as headers and sockets spell it: with blanks, quotes, brackets, a port, a zone, IPv4 inside IPv6.
 * The same address comes out the same: IPv6 in its short form, an IPv4-mapped one as IPv4, without its zone. null for anything else.
 */
export function endpointOf(text: string | null | undefined): Endpoint | null {
  if (text === null || text === undefined) return null;
  // As nearly all are, and read at a fraction of the cost of what follows.
  if (isIPv4(text)) return { ip: text, port: null };
  const bare = text
    .trim()
    .replace(/^"(.*)"$/, "$1")
    .trim();
  const [, host = bare, port] = bracketed.exec(bare) ?? withPort.exec(bare) ?? [];
  if (bare.startsWith("[") && host === bare) return null;
  if (bare.startsWith("[") && !host.includes(":")) return null;
  const ip = normalAddress(host);
  if (ip === null || (port !== undefined && Number(port) > 65_535)) return null;
  return { ip, port: port === undefined ? null : Number(port) };
}

function normalAddress(host: string): string | null {
  // Not by ipaddr.js, which reads octal, hexadecimal and short forms too: nobody means those in a header.
  if (isIPv4(host)) return host;
  const unzoned = host.replace(/%[\w.-]+$/, "");
  if (!unzoned.includes(":") || !ipaddr.IPv6.isValid(unzoned)) return null;
  const address = ipaddr.IPv6.parse(unzoned);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

export type AddressPrivacy = Pick<
  CheckedActivityOptions,
  "ipPrivacy" | "secret" | "ipv4TruncationMask" | "ipv6TruncationMask"
>;

/** An address as it is kept: itself, the keyed hash of its source, its network, or not at all. */
export function keptAddress(ip: string, { ipPrivacy, secret, ...masks }: AddressPrivacy): string | null {
  switch (ipPrivacy) {
    case "none":
      return ip;
    case "hash":
      return keyedHash(secret, sourceOf(ip));
    case "exclude":
      return null;
    case "truncate":
      return networkOf(ip, masks);
  }
}

function networkOf(
  ip: string,
  { ipv4TruncationMask, ipv6TruncationMask }: Pick<AddressPrivacy, "ipv4TruncationMask" | "ipv6TruncationMask">,
): string {
  if (!ip.includes(":")) {
    return `${ipaddr.IPv4.networkAddressFromCIDR(`${ip}/${ipv4TruncationMask}`).toString()}/${ipv4TruncationMask}`;
  }
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${ip}/${ipv6TruncationMask}`);
  return `${network.toRFC5952String()}/${ipv6TruncationMask}`;
}

/** Bits of an IPv6 address that its holder does not choose: whoever has one address has the other 2^64 of its network too. */
const sourceBits = 64;

/** What is counted as one: an IPv4 address or whatever stands for it, and of IPv6 the /64, unless what is kept is a larger network. */
export function sourceOf(kept: string): string {
  const [ip = "", bits = "128"] = kept.split("/");
  if (!ipaddr.IPv6.isValid(ip) || Number(bits) < sourceBits) return kept;
  return networkOf(ip, { ipv4TruncationMask: 32, ipv6TruncationMask: sourceBits });
}
