import type { Request, RequestHandler } from "express";
import { bindRequestContext, checkReader, readRequest, type RequestReader, withRequestContext } from "../index.js";

/**
 * Express middleware that opens a request context: writes of the handlers behind it carry its actor, tenant and metadata.
 * Put it behind the middleware that signs users in, or add the actor later with `enrichRequestContext`.
 * The functions may be async; what they throw goes to Express's error handlers. Callbacks of streams and emitters run outside
 * the request that gave them: give them through `bindRequestContext`. Throws OPTIONS_INVALID.
 */
export function requestContext(options: RequestReader<Request> = {}): RequestHandler {
  const reader = checkReader(options);
  return async (request, _response, next) => {
    let inContext: () => void;
    try {
      inContext = withRequestContext(await readRequest(request, reader), () => bindRequestContext(() => next()));
    } catch (error) {
      next(error);
      return;
    }
    inContext();
  };
}
