import { expect } from "chai";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { requestContext } from "../../src/express/index.js";
import { bindRequestContext, enrichRequestContext, requestContext as openContext } from "../../src/index.js";
import { recordedEvents } from "../../src/testing/index.js";
import { expectOwnEvents, Note, poolSize, post, sendCrowd, writeNotes } from "../doors/crowd.js";
import { TrackedApplication } from "../tracked-application.js";

describe("the Express door", function () {
  this.timeout(300_000);

  let application: TrackedApplication;
  let stop: (() => Promise<unknown>) | undefined;
  beforeEach(async () => {
    application = await TrackedApplication.start([Note], { dataSource: { poolSize } });
  });
  afterEach(async () => {
    await stop?.();
    await application.stop();
  });

  async function listen(app: Express): Promise<string> {
    const server = app.listen(0);
    await once(server, "listening");
    stop = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const actor = (request: Request) => ({ type: "user", id: String(request.headers["x-user"]) });

  it("gives each of 1,000 interleaved requests its own actor, on its own events only", async () => {
    const app = express();
    app.use(requestContext({ actor }));
    app.use(express.json());
    app.post("/", async (request, response) => {
      await writeNotes(application.dataSource, (request.body as { author: string }).author);
      response.json({});
    });
    await sendCrowd(await listen(app));
    await expectOwnEvents(application.dataSource);
  });

  it("takes actor, tenant and metadata, be the functions async or not, and lets a later middleware enrich them", async () => {
    const app = express();
    app.use(
      requestContext({
        actor: () => null,
        tenant: async (request) => Promise.resolve(request.get("x-tenant")),
        metadata: (request) => ({ path: request.path }),
      }),
    );
    app.use((request, _response, next) => {
      enrichRequestContext({ actor: actor(request), metadata: { signedIn: true } });
      next();
    });
    app.post("/notes", async (_request, response) => {
      await application.manager.save(Note, { author: "ada", text: "" });
      response.json({});
    });
    const url = await listen(app);
    const [event] = await recordedEvents(application.dataSource, () =>
      post(`${url}/notes`, { "x-user": "ada", "x-tenant": "acme" }),
    );
    expect(event).to.deep.include({
      actor: { type: "user", id: "ada", name: null },
      tenant: "acme",
      metadata: { path: "/notes", signedIn: true },
    });
  });

  for (const [what, broken] of Object.entries({
    "a function throws": () => {
      throw new Error("nobody");
    },
    "an async function rejects": () => Promise.reject(new Error("nobody")),
    "the actor is none": () => ({ type: "", id: 1 }),
  })) {
    it(`fails the request, and runs no handler, when ${what}`, async () => {
      const app = express();
      app.use(requestContext({ actor: broken }));
      let ran = false;
      app.post("/", (_request, response) => {
        ran = true;
        response.json({});
      });
      app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
        response.status(500).send(error.message);
      });
      const answer = await post(await listen(app), {}).then(
        () => "a success",
        (error: Error) => error.message,
      );
      expect(answer).to.match(/^500: (nobody|Expected actor.type)/);
      expect(ran).to.equal(false);
    });
  }

  it("follows the events of the request's own stream where they are bound, and only there", async () => {
    const app = express();
    app.use(requestContext({ actor }));
    app.post("/", (request, response) => {
      let unbound: unknown = "not called";
      request.on("data", () => undefined);
      request.on("end", () => (unbound = openContext()?.actor?.id ?? null));
      request.on(
        "end",
        bindRequestContext(() => response.json({ bound: openContext()?.actor?.id, unbound })),
      );
    });
    const answer = await post(await listen(app), { "x-user": "ada" });
    expect(JSON.parse(answer)).to.deep.equal({ bound: "ada", unbound: null });
  });

  it("leaves nothing open behind the request", async () => {
    const app = express();
    app.use(requestContext({ actor }));
    app.post("/", (_request, response) => void response.json(openContext()?.actor ?? null));
    const url = await listen(app);
    expect(await post(url, { "x-user": "ada" })).to.include("ada");
    expect(openContext()).to.equal(undefined);
  });

  it("refuses options that are no functions at once", () => {
    expect(() => requestContext({ actor: { type: "user", id: 1 } as never }))
      .to.throw("request context: expected actor to be a function of the request, got: an object.")
      .with.property("code", "OPTIONS_INVALID");
    expect(() => requestContext({ actr: () => null } as never))
      .to.throw('request context: unknown option "actr". Did you mean "actor"?')
      .with.property("code", "OPTIONS_INVALID");
  });
});
