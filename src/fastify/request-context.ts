import type { FastifyPluginCallback, FastifyRequest, HookHandlerDoneFunction } from "fastify";
import {
  bindRequestContext,
  checkReader,
  enrichRequestContext,
  readRequest,
  type RequestReader,
  withRequestContext,
} from "../index.js";

/** What Fastify itself takes when a plugin is registered. */
const ofRegister = ["prefix", "logLevel", "logSerializers", "encapsulate"];

type Resume = (work: () => void) => void;

/**
 * Fastify plugin that opens a request context for every request of the instance that it is registered on:
 * `app.register(requestContext, { actor: (request) => ... })`.
 *
 * The functions are asked when the request comes in and again before the handler (preHandler), so that `actor` may rely on
 * what a hook of onRequest, preParsing or preValidation found; what they do not know then changes nothing. They may be async;
 * what they throw fails the request. Callbacks of streams and emitters run outside the request that gave them: give them
 * through `bindRequestContext`. Registering fails with OPTIONS_INVALID.
 */
export const requestContext: FastifyPluginCallback<RequestReader<FastifyRequest>> = (app, options, ready) => {
  let reader: RequestReader<FastifyRequest>;
  try {
    reader = checkReader(options, ofRegister);
  } catch (error) {
    ready(error as Error);
    return;
  }
  const contexts = new WeakMap<FastifyRequest, Resume>();

  const resumed = (request: FastifyRequest): Resume => contexts.get(request) ?? ((work) => work());

  app.addHook("onRequest", (request, _reply, done) => {
    readRequest(request, reader)
      .then((context) => withRequestContext(context, () => bindRequestContext((work: () => void) => work())))
      .then((resume) => {
        contexts.set(request, resume);
        resume(done);
      }, failing(done));
  });

  // A hook or body parser may have called back from elsewhere: what follows goes back into the request's own context.
  app.addHook("preValidation", (request, _reply, done) => {
    resumed(request)(done);
  });

  app.addHook("preHandler", (request, _reply, done) => {
    resumed(request)(() => {
      readRequest(request, reader)
        .then((known) => enrichRequestContext(known))
        .then(() => done(), failing(done));
    });
  });

  ready();
};

function failing(done: HookHandlerDoneFunction): (error: unknown) => void {
  return (error) => done(error as Error);
}

/** Hooks of the plugin apply to the instance that registers it, as with fastify-plugin. */
Object.assign(requestContext, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "typeorm-chronicle",
  [Symbol.for("plugin-meta")]: { name: "typeorm-chronicle", fastify: "5.x" },
});
