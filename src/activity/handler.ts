import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";

/** A Fetch-style handler, and the same for Express and Fastify. */
export interface Handler {
  (request: Request): Promise<Response>;
  /** `app.post("/activity", handler.express)`, before or behind a body parser. */
  readonly express: (request: ExpressRequest, response: ServerResponse) => Promise<void>;
  /** `fastify.post("/activity", handler.fastify)`. */
  readonly fastify: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

/** What is used of Express's request. */
export type ExpressRequest = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };
/** What is used of Fastify's. */
export interface FastifyRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
  readonly raw: IncomingMessage;
}
export interface FastifyReply {
  code(status: number): FastifyReply;
  headers(values: Record<string, string>): FastifyReply;
  send(body: unknown): unknown;
}

export interface Arrived {
  /** The framework's request, which knows the address. */
  readonly raw: object;
  /** The body's text, or null where it is too large. */
  readonly body: () => Promise<string | null>;
}

export function adapted(maxBytes: number, answer: (request: Request, arrived: Arrived) => Promise<Response>): Handler {
  const handle = async (request: Request, arrived: Arrived) => guarded(await answer(request, arrived));
  const fetchStyle = (request: Request) =>
    handle(request, { raw: request, body: () => bodyText(request.body, maxBytes) });
  const ofNode = (given: ExpressRequest | FastifyRequest, message: IncomingMessage) => {
    const url = new URL(
      ("originalUrl" in given ? given.originalUrl : undefined) ?? given.url ?? "/",
      "http://localhost",
    );
    const request = new Request(url, { method: given.method ?? "GET", headers: flat(given.headers) });
    // A body parser has read the stream already.
    const body = () =>
      given.body === undefined || given.body === null
        ? bodyText(Readable.toWeb(message) as ReadableStream<Uint8Array>, maxBytes)
        : Promise.resolve(parsedText(given.body, maxBytes));
    return handle(request, { raw: given, body });
  };
  return Object.assign(fetchStyle, {
    express: async (request: ExpressRequest, response: ServerResponse) => {
      const answer = await ofNode(request, request);
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      if (answer.body === null) response.end();
      else
        await new Promise((resolve) =>
          Readable.fromWeb(answer.body as never)
            .pipe(response)
            .on("close", () => resolve(undefined)),
        );
    },
    fastify: async (request: FastifyRequest, reply: FastifyReply) => {
      const answer = await ofNode(request, request.raw);
      return reply
        .code(answer.status)
        .headers(Object.fromEntries(answer.headers))
        .send(answer.body === null ? null : Readable.fromWeb(answer.body as never));
    },
  });
}

/** What is answered is for nobody else, and nothing but what it says it is. */
function guarded(answer: Response): Response {
  answer.headers.set("cache-control", "no-store");
  answer.headers.set("x-content-type-options", "nosniff");
  return answer;
}

/** Why a request that changes something is refused, or null: it has to be of the same origin, and JSON, which no form sends. */
export function refusalOfChange(request: Request): { status: number; error: string } | null {
  const { headers } = request;
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return otherOrigin;
  const origin = headers.get("origin");
  if (origin !== null && site === null && hostOf(origin) !== (headers.get("host") ?? new URL(request.url).host))
    return otherOrigin;
  if (!/^application\/json\s*(?:;|$)/i.test(headers.get("content-type") ?? ""))
    return { status: 415, error: "Send application/json." };
  return null;
}

const otherOrigin = { status: 403, error: "Not from another site or origin." };

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

function flat(headers: IncomingMessage["headers"]): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || name.startsWith(":") ? [] : [[name, [value].flat().join(", ")] as [string, string]],
  );
}

/** Reads no more than is allowed, whatever the sender says of the length. */
async function bodyText(stream: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (stream ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsedText(body: unknown, maxBytes: number): string | null {
  const text = typeof body === "string" ? body : Buffer.isBuffer(body) ? body.toString("utf8") : JSON.stringify(body);
  return Buffer.byteLength(text) > maxBytes ? null : text;
}
