import { requestContext } from "../core/request-context.js";

export interface Trace {
  readonly traceId: string | null;
  readonly spanId: string | null;
}

interface OpenTelemetry {
  readonly trace: {
    getActiveSpan(): { spanContext(): { readonly traceId: string; readonly spanId: string } } | undefined;
  };
}

const none: Trace = { traceId: null, spanId: null };
const traceparent = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}/;
const allZero = /^0+$/;
let openTelemetry: OpenTelemetry | undefined;

/** Takes @opentelemetry/api into use where it is installed. */
export async function findOpenTelemetry(): Promise<void> {
  const name = "@opentelemetry/api";
  openTelemetry ??= await (import(name) as Promise<OpenTelemetry>).catch(() => undefined);
}

/** The active span, or else the W3C trace context of the request. */
export function currentTrace(): Trace {
  const span = openTelemetry?.trace.getActiveSpan()?.spanContext();
  if (span !== undefined && !allZero.test(span.traceId)) return { traceId: span.traceId, spanId: span.spanId };
  const given = requestContext()?.metadata?.traceparent;
  const [, traceId, spanId] = (typeof given === "string" ? traceparent.exec(given) : null) ?? [];
  if (traceId === undefined || spanId === undefined || allZero.test(traceId) || allZero.test(spanId)) return none;
  return { traceId, spanId };
}
