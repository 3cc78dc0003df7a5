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

export function adapted(maxBytes: number, handle: (request: Request, arrived: Arrived) => Promise<Response>): Handler {
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
