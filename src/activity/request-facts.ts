import proxyaddr from "proxy-addr";
import type { RequestFacts } from "../../entities/activity.js";
import { type AddressPrivacy, type Endpoint, endpointOf, keptAddress } from "./address.js";
import { forwardedClients, keptForwarded, keptForwardedFor } from "./forwarded.js";
import { storable } from "./redact.js";

/** What is read of a request, whichever framework made it, or of facts that a caller gives by hand. */
interface AnyRequest {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly url?: unknown;
  readonly originalUrl?: unknown;
  readonly path?: unknown;
  readonly host?: unknown;
  readonly ip?: unknown;
  readonly port?: unknown;
  readonly userAgent?: unknown;
  readonly forwarded?: unknown;
  readonly xForwardedFor?: unknown;
  readonly headers?: unknown;
  readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number } | null;
  readonly raw?: AnyRequest;
}

/**
 * The facts of a request. Where it has a socket, its address is that of the client: the socket's own, or the one that trusted
 * proxies name in X-Forwarded-For or, without that, in Forwarded. Facts given by hand are believed.
 */
export function requestFacts(
  request: object,
  isTrusted: (address: string, hop: number) => boolean,
  privacy: AddressPrivacy,
): RequestFacts {
  const given = request as AnyRequest;
  const header = (name: string) => headerOf(given.headers, name);
  const way = wayOf(given);
  const { socket, forwarded, xForwardedFor } = way;
  const endpoint = endpointOn(way, isTrusted);
  const port = endpoint?.port ?? (socket === null && typeof given.port === "number" ? given.port : null);
  return {
    id: textOf(given.id) ?? header("x-request-id"),
    method: textOf(given.method),
    path: pathOf(textOf(given.originalUrl) ?? textOf(given.url) ?? textOf(given.path)),
    host: header("host") ?? textOf(given.host),
    ip: endpoint === null ? null : keptAddress(endpoint.ip, privacy),
    port: privacy.ipPrivacy === "exclude" ? null : port,
    userAgent: textOf(given.userAgent) ?? header("user-agent"),
    forwarded: keptForwarded(forwarded, privacy),
    xForwardedFor: keptForwardedFor(xForwardedFor, privacy),
  };
}

/** The client's address by the same rules, for telling one from another and not for keeping; null where the request has none. */
export function clientAddress(request: object, isTrusted: (address: string, hop: number) => boolean): string | null {
  return endpointOn(wayOf(request), isTrusted)?.ip ?? null;
}

/** What tells by which way a request came. */
function wayOf(given: AnyRequest) {
  return {
    socket: given.socket ?? given.raw?.socket ?? null,
    ip: textOf(given.ip),
    forwarded: textOf(given.forwarded) ?? headerOf(given.headers, "forwarded"),
    xForwardedFor: textOf(given.xForwardedFor) ?? headerOf(given.headers, "x-forwarded-for"),
  };
}

function endpointOn(
  { socket, ip, forwarded, xForwardedFor }: ReturnType<typeof wayOf>,
  isTrusted: (address: string, hop: number) => boolean,
): Endpoint | null {
  return socket === null ? endpointOf(ip) : clientOf(socket, forwarded, xForwardedFor, isTrusted);
}

function clientOf(
  { remoteAddress, remotePort = null }: { readonly remoteAddress?: string; readonly remotePort?: number | null },
  forwarded: string | null,
  xForwardedFor: string | null,
  isTrusted: (address: string, hop: number) => boolean,
): Endpoint | null {
  const socket = endpointOf(remoteAddress);
  if (socket === null) return null;
  const direct = { ip: socket.ip, port: remotePort };
  if (!isTrusted(socket.ip, 0)) return direct;
  const named =
    xForwardedFor === null
      ? forwardedClients(forwarded ?? "")
      : xForwardedFor.split(",").flatMap((part) => endpointOf(part)?.ip ?? []);
  // proxy-addr reads the list from X-Forwarded-For of what it is given.
  const hops = { socket: { remoteAddress: socket.ip }, headers: { "x-forwarded-for": named.join(", ") } };
  const ip = proxyaddr(hops as never, isTrusted);
  return ip === socket.ip ? direct : { ip, port: null };
}

function headerOf(headers: unknown, name: string): string | null {
  if (typeof headers !== "object" || headers === null) return null;
  if (headers instanceof Headers) return textOf(headers.get(name));
  const value = (headers as Record<string, unknown>)[name];
  return textOf(Array.isArray(value) ? value.join(", ") : value);
}

function textOf(value: unknown): string | null {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" && value !== "" ? storable(value, 1_024) : null;
}

/** Without the query string and fragment, which may hold secrets. */
function pathOf(url: string | null): string | null {
  if (url === null) return null;
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.test(url) ? url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "") : url;
  return path.replace(/[?#].*$/s, "") || "/";
}
