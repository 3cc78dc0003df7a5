import { expect } from "chai";
import { enrichRequestContext, type RequestContext, withRequestContext } from "../src/index.js";
import { application, rejectionOf } from "./replay/application.js";
import { Account, errorOf, expectTyped } from "./typed-errors.js";

describe("a bad request context", () => {
  const app = application({ entities: [Account], limits: { metadataBytes: 2_000, depth: 8 } });
  const accounts = () => app.dataSource.getRepository(Account);

  const circular: Record<string, unknown> = {};
  circular["self"] = { list: [circular] };
  const contexts: Readonly<Record<string, readonly [unknown, string, ...string[]]>> = {
    "that is no object": ["me", "CONTEXT_INVALID", "the request context"],
    "with an unknown key": [{ user: "me" }, "CONTEXT_INVALID", "user"],
    "whose actor has no type": [{ actor: { id: 1 } }, "CONTEXT_INVALID", "actor.type"],
    "whose actor has no id": [{ actor: { type: "user" } }, "CONTEXT_INVALID", "actor.id"],
    "that is null": [null, "CONTEXT_INVALID", "got: null"],
    "whose actor has an empty type": [{ actor: { type: "", id: 1 } }, "CONTEXT_INVALID", "actor.type", "empty"],
    "whose actor has NaN for an id": [
      { actor: { type: "user", id: Number.NaN } },
      "CONTEXT_INVALID",
      "actor.id",
      "NaN",
    ],
    "whose actor is a string": [{ actor: "ada" }, "CONTEXT_INVALID", "actor"],
    "whose metadata is a list": [{ metadata: [] }, "CONTEXT_INVALID", "metadata", "got: array"],
    "whose metadata is circular": [{ metadata: circular }, "CONTEXT_INVALID", "metadata.self.list[0]", "circular"],
    "whose metadata holds a BigInt": [{ metadata: { a: [1n] } }, "CONTEXT_INVALID", "metadata.a[0]", "bigint"],
    "whose metadata holds a NUL": [{ metadata: { a: "x\0" } }, "CONTEXT_INVALID", "metadata.a", "NUL"],
    "whose metadata has a NUL in a key": [{ metadata: { "a\0": 1 } }, "CONTEXT_INVALID", "NUL"],
    "whose metadata holds a lone surrogate": [{ metadata: { a: "\ud800" } }, "CONTEXT_INVALID", "surrogate"],
    "whose metadata holds NaN": [{ metadata: { a: Number.NaN } }, "CONTEXT_INVALID", "NaN"],
    "whose metadata holds a function": [{ metadata: { a: () => 1 } }, "CONTEXT_INVALID", "function"],
    "whose metadata holds a Map": [{ metadata: { a: new Map() } }, "CONTEXT_INVALID", "Map"],
    "with a NUL in the tenant": [{ tenant: "\0" }, "CONTEXT_INVALID", "NUL"],
    "whose tenant is an object": [{ tenant: {} }, "CONTEXT_INVALID", "tenant"],
    "whose actionName is a number": [{ actionName: 7 }, "CONTEXT_INVALID", "actionName"],
  };
  for (const [what, [context, code, ...words]] of Object.entries(contexts)) {
    it(`is refused ${what} before the work runs`, async () => {
      let ran = false;
      const error = errorOf(() => withRequestContext(context as RequestContext, () => (ran = true)));
      expectTyped(error, code, ...words);
      expect(ran).to.equal(false);
      await withRequestContext({}, async () => {
        expectTyped(
          errorOf(() => enrichRequestContext(context as RequestContext)),
          code,
        );
        await accounts().save({ name: "with the context as it was" });
      });
      expect((await app.events()).map(({ metadata }) => metadata)).to.deep.equal([{}]);
    });
  }

  it("cannot be enriched where there is none", () => {
    expectTyped(
      errorOf(() => enrichRequestContext({ tenant: "a" })),
      "CONTEXT_INVALID",
      "no request context",
    );
  });

  it("is refused with every write, whole, where it is too large or too deep", async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 12; level++) deep = [deep];
    for (const metadata of [{ large: "x".repeat(3_000) }, { deep }]) {
      await withRequestContext({ metadata }, async () => {
        for (const write of [
          () => accounts().save({ name: "one" }),
          () => accounts().insert({ name: "one" }),
          () => app.dataSource.query("insert into account (name) values ('one')"),
          () => app.dataSource.transaction((manager) => manager.save(Account, { name: "one" })),
        ])
          expectTyped(await rejectionOf(write()), "LIMIT_EXCEEDED", "metadata" in metadata ? "" : "limits.");
      });
    }
    expectTyped(
      errorOf(() => {
        let far: unknown = 1;
        for (let level = 0; level < 5_000; level++) far = { far };
        withRequestContext({ metadata: { far } }, () => undefined);
      }),
      "LIMIT_EXCEEDED",
    );
    expect(await accounts().count()).to.equal(0);
    expect(await app.position()).to.equal(0n);
  });
});
