import type { RequestFacts } from "../../entities/activity.js";
import { type AddressPrivacy, type Endpoint, endpointOf, keptAddress } from "./address.js";
import { clientsOf, keptForwarded, keptForwardedFor } from "./forwarded.js";
import { storable } from "./redact.js";
import type { Proxies } from "./trust-proxy.js";

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
 * The facts of a request. If it has a socket, its address is that of the client: the socket's own, or the one that trusted proxies
 * name in the header that they write. Facts given by hand are believed. `clean` takes what is secret out of the path.
 */
export function requestFacts(
  request: object,
  proxies: Proxies,
  privacy: AddressPrivacy,
  clean: (path: string) => string = (path) => storable(path, 1_024),
): RequestFacts {
  const given = request as AnyRequest;
  const header = (name: string) => textOf(headerOf(given.headers, name));
  const endpoint = endpointOn(given, proxies);
  const port = endpoint?.port ?? (socketOf(given) === null && typeof given.port === "number" ? given.port : null);
  const path = pathOf([given.originalUrl, given.url, given.path].find((one) => typeof one === "string" && one !== ""));
  return {
    id: textOf(given.id) ?? header("x-request-id"),
    method: textOf(given.method),
    path: path === null ? null : clean(path),
    host: header("host") ?? textOf(given.host),
    ip: endpoint === null ? null : keptAddress(endpoint.ip, privacy),
    port: privacy.ipPrivacy === "exclude" ? null : port,
    userAgent: textOf(given.userAgent) ?? header("user-agent"),
    forwarded: keptForwarded(listOf(given, "forwarded"), privacy),
    xForwardedFor: keptForwardedFor(listOf(given, "x-forwarded-for"), privacy),
  };
}

/** The client's address by the same rules, for telling one from another and not for keeping; null if the request has none. */
export function clientAddress(request: object, proxies: Proxies): string | null {
  return endpointOn(request, proxies)?.ip ?? null;
}

function socketOf(given: AnyRequest): AnyRequest["socket"] | null {
  return given.socket ?? given.raw?.socket ?? null;
}

/** The whole of a header that lists hops: no end of it is cut off here. */
function listOf(given: AnyRequest, name: string): string | null {
  const byHand = name === "forwarded" ? given.forwarded : name === "x-forwarded-for" ? given.xForwardedFor : undefined;
  return typeof byHand === "string" && byHand !== "" ? byHand : headerOf(given.headers, name);
}

function endpointOn(given: AnyRequest, { isTrusted, header }: Proxies): Endpoint | null {
  const socket = socketOf(given);
  if (socket === null || socket === undefined) return endpointOf(textOf(given.ip));
  const direct = endpointOf(socket.remoteAddress);
  if (direct === null) return null;
  let ip = direct.ip;
  let hop = 0;
  for (const node of clientsOf(header, listOf(given, header))) {
    if (!isTrusted(ip, hop)) break;
    const next = endpointOf(node)?.ip;
    // What stands to the left of a hop that is no address may be anybody's.
    if (next === undefined) break;
    ip = next;
    hop++;
  }
  return hop === 0 ? { ip, port: socket.remotePort ?? null } : { ip, port: null };
}

function headerOf(headers: unknown, name: string): string | null {
  if (typeof headers !== "object" || headers === null) return null;
  const value = headers instanceof Headers ? headers.get(name) : (headers as Record<string, unknown>)[name];
  const text = Array.isArray(value) ? value.join(", ") : value;
  return typeof text === "string" && text !== "" ? text : null;
}

function textOf(value: unknown): string | null {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" && value !== "" ? storable(value, 1_024) : null;
}

/** Without the query string and fragment, which may hold secrets. */
function pathOf(url: unknown): string | null {
  if (typeof url !== "string") return null;
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.test(url) ? url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "") : url;
  return path.replace(/[?#].*$/s, "") || "/";
}
