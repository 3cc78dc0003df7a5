import { expect } from "chai";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { requestContext } from "../../src/fastify/index.js";
import { enrichRequestContext, requestContext as openContext } from "../../src/index.js";
import { recordedEvents } from "../../src/testing/index.js";
import { expectOwnEvents, Note, poolSize, post, sendCrowd, writeNotes } from "../doors/crowd.js";
import { TrackedApplication } from "../tracked-application.js";

declare module "fastify" {
  interface FastifyRequest {
    user?: { id: string };
  }
}

describe("the Fastify door", function () {
  this.timeout(300_000);

  let application: TrackedApplication;
  let app: FastifyInstance;
  beforeEach(async () => {
    application = await TrackedApplication.start([Note], { dataSource: { poolSize } });
    app = Fastify();
  });
  afterEach(async () => {
    await app.close();
    await application.stop();
  });

  const listen = () => app.listen({ port: 0, host: "127.0.0.1" });
  const actor = (request: FastifyRequest) => ({ type: "user", id: String(request.headers["x-user"]) });

  it("gives each of 1,000 interleaved requests its own actor, on its own events only", async () => {
    await app.register(requestContext, { actor });
    app.post("/", async (request) => {
      await writeNotes(application.dataSource, (request.body as { author: string }).author);
      return {};
    });
    await sendCrowd(await listen());
    await expectOwnEvents(application.dataSource);
  });

  for (const hook of ["onRequest", "preValidation"] as const) {
    it(`goes back into the request's own context after a hook of ${hook} that calls back from elsewhere`, async () => {
      const waiting: (() => void)[] = [];
      const elsewhere = setInterval(() => waiting.splice(0).forEach((done) => done()), 1);
      try {
        await app.register(requestContext, { actor });
        app.addHook(hook, (_request: unknown, _reply: unknown, done: () => void) => void waiting.push(done));
        await app.register(async (inner) => {
          inner.post("/", async () => openContext()?.actor);
        });
        expect(await post(await listen(), { "x-user": "ada" })).to.include("ada");
      } finally {
        clearInterval(elsewhere);
      }
    });
  }

  it("keeps what hooks added before the body", async () => {
    await app.register(requestContext, {
      metadata: (request) => ({ url: request.url }),
      tenant: () => Promise.resolve(7),
    });
    app.addHook("onRequest", (request, _reply, done) => {
      enrichRequestContext({ actor: actor(request) });
      done();
    });
    app.post("/notes", async () => {
      await application.manager.save(Note, { author: "ada", text: "" });
      return {};
    });
    const url = await listen();
    const [event] = await recordedEvents(application.dataSource, () => post(`${url}/notes`, { "x-user": "ada" }));
    expect(event).to.deep.include({
      actor: { type: "user", id: "ada", name: null },
      tenant: "7",
      metadata: { url: "/notes" },
    });
  });

  it("asks again before the handler, when a route's hook knows the user", async () => {
    await app.register(requestContext, {
      actor: ({ user }) => (user === undefined ? undefined : { type: "user", id: user.id }),
    });
    const signIn = async (request: FastifyRequest) => {
      await Promise.resolve();
      request.user = { id: "grace" };
    };
    app.post("/", { onRequest: signIn }, async () => openContext()?.actor);
    expect(JSON.parse(await post(await listen(), {}))).to.deep.equal({ type: "user", id: "grace" });
  });

  it("holds for routes of the instance that registers it, in plugins below too, and for no other", async () => {
    await app.register(async (inner) => {
      await inner.register(requestContext, { actor });
      await inner.register(async (deeper) => {
        deeper.post("/inside", async () => ({ open: openContext() !== undefined }));
      });
    });
    app.post("/outside", async () => ({ open: openContext() !== undefined }));
    const url = await listen();
    expect(await post(`${url}/inside`, {})).to.equal('{"open":true}');
    expect(await post(`${url}/outside`, {})).to.equal('{"open":false}');
  });

  it("fails the request, and runs no handler, when a function throws", async () => {
    await app.register(requestContext, {
      actor: () => {
        throw new Error("nobody");
      },
    });
    let ran = false;
    app.post("/", async () => {
      ran = true;
      return {};
    });
    const answer = await post(await listen(), {}).catch((error: Error) => error.message);
    expect(answer).to.match(/^500: .*nobody/);
    expect(ran).to.equal(false);
  });

  it("refuses options that are no functions when it is registered", async () => {
    const error = await Promise.resolve(app.register(requestContext, { tenant: "acme" as never })).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.include({ code: "OPTIONS_INVALID" });
  });
});
