import { expect } from "chai";
import {
  enrichRequestContext,
  requestContext,
  sendableContext,
  withRequestContext,
} from "../../src/core/request-context.js";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const sent = () => JSON.parse(sendableContext()?.json.text ?? "null") as Record<string, unknown> | null;

describe("the request context", () => {
  it("is there inside and not outside, and gives back what the work gives", async () => {
    expect(requestContext()).to.equal(undefined);
    expect(sendableContext()).to.equal(undefined);
    expect(withRequestContext({ tenant: "a" }, () => requestContext()?.tenant)).to.equal("a");
    expect(await withRequestContext({}, () => Promise.resolve(7))).to.equal(7);
    expect(() => withRequestContext({}, () => expect.fail("thrown"))).to.throw("thrown");
    expect(requestContext()).to.equal(undefined);
  });

  it("is told to the database as it is kept: ids as text, what is not set left out", () => {
    withRequestContext({ actor: { type: "user", id: 7n }, tenant: 5, actionName: "account.close" }, () => {
      const told = sent();
      expect(told).to.deep.include({
        actor: { type: "user", id: "7", name: null },
        tenant: "5",
        metadata: {},
        actionName: "account.close",
      });
      expect(told).to.not.have.property("causationId");
      expect(Buffer.from(sendableContext()?.encoded ?? "", "base64").toString()).to.equal(sendableContext()?.json.text);
    });
  });

  it("warns once of an id that a missing value becomes as text, and goes on", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error & { code?: string }) => {
      if (warning.code === "CHRONICLE_ACTOR") warnings.push(warning);
    };
    process.on("warning", hear);
    try {
      withRequestContext({ actor: { type: "user", id: "7" } }, () => undefined);
      await wait(0);
      expect(warnings).to.deep.equal([]);
      for (const id of [String(undefined), String(null), "undefined"])
        withRequestContext({ actor: { type: "user", id } }, () => expect(sent()?.["actor"]).to.deep.include({ id }));
      await wait(0);
      expect(warnings.map(({ message }) => message)).to.have.length(1);
      expect(warnings[0]?.message).to.include('the actor user with the id "undefined"');
    } finally {
      process.off("warning", hear);
    }
  });

  it("nests: inner wins, metadata is merged shallowly, the correlation id is made outermost and inherited", () => {
    withRequestContext({ actor: { type: "user", id: 1 }, tenant: "a", metadata: { x: { y: 1 }, z: 1 } }, () => {
      const outer = requestContext()?.correlationId;
      expect(outer).to.match(/^[0-9a-f-]{36}$/);
      withRequestContext({ tenant: "b", metadata: { x: { w: 2 } }, actor: undefined }, () => {
        expect(sent()).to.deep.include({ tenant: "b", metadata: { x: { w: 2 }, z: 1 }, correlationId: outer });
        expect(requestContext()?.actor).to.include({ type: "user" });
        withRequestContext({ actor: null, correlationId: "mine" }, () => {
          expect(sent()).to.not.have.property("actor");
          expect(requestContext()?.correlationId).to.equal("mine");
        });
      });
      expect(sent()).to.deep.include({ tenant: "a", metadata: { x: { y: 1 }, z: 1 } });
    });
  });

  it("is enriched for what comes after in the same request, in this context and not in one around it", async () => {
    await withRequestContext({ metadata: { a: 1 } }, async () => {
      await withRequestContext({ metadata: { b: 2 } }, async () => {
        await wait(1);
        enrichRequestContext({ actor: { type: "user", id: 1 }, metadata: { c: 3 } });
        await wait(1);
        expect(sent()).to.deep.include({ metadata: { a: 1, b: 2, c: 3 } });
        expect(requestContext()?.actor).to.include({ type: "user" });
      });
      expect(sent()).to.deep.include({ metadata: { a: 1 } });
      expect(requestContext()?.actor).to.equal(undefined);
    });
  });

  it("never leaks between 1,000 that run at once", async () => {
    const seen = await Promise.all(
      Array.from({ length: 1_000 }, (_, id) =>
        withRequestContext({ actor: { type: "user", id } }, async () => {
          for (let step = 0; step < 3; step++) {
            await wait(Math.random() * 5);
            enrichRequestContext({ metadata: { [`step${step}`]: id } });
          }
          return sent();
        }),
      ),
    );
    for (const [id, context] of seen.entries()) {
      expect(context?.["actor"]).to.deep.equal({ type: "user", id: String(id), name: null });
      expect(context?.["metadata"]).to.deep.equal({ step0: id, step1: id, step2: id });
    }
    expect(new Set(seen.map((context) => context?.["correlationId"])).size).to.equal(1_000);
  });

  it("keeps a traceparent in the metadata", () => {
    withRequestContext({ traceparent: "00-abc-def-01", metadata: { a: 1 } }, () => {
      expect(sent()?.["metadata"]).to.deep.equal({ a: 1, traceparent: "00-abc-def-01" });
    });
  });
});
