import { expect } from "chai";
import pg from "pg";
import { withRequestContext } from "../src/index.js";
import { application, rejectionOf } from "./replay/application.js";
import { Account, expectTyped } from "./typed-errors.js";

describe("a write without an actor where one is required", () => {
  const app = application({ entities: [Account], requireActor: true });

  it("is refused whole, whoever makes it", async () => {
    const accounts = app.dataSource.getRepository(Account);
    const writes = [
      () => accounts.save({ name: "one" }),
      () => accounts.insert({ name: "one" }),
      () => app.dataSource.query("insert into account (name) values ('one')"),
      () => app.dataSource.transaction((manager) => manager.save(Account, { name: "one" })),
      () => withRequestContext({ tenant: "a", metadata: { why: "none" } }, () => accounts.save({ name: "one" })),
      () => withRequestContext({ actor: null }, () => accounts.save({ name: "one" })),
    ];
    for (const write of writes) expectTyped(await rejectionOf(write()), "ACTOR_REQUIRED", "actor");
    const client = new pg.Client({ connectionString: app.url });
    await client.connect();
    const outside = await rejectionOf(client.query("insert into account (name) values ('one')"));
    await client.end();
    expect(outside).to.include({ code: "CH001" });
    expect(await accounts.count()).to.equal(0);
    expect(await app.position()).to.equal(0n);
    await withRequestContext({ actor: { type: "job", id: 1 } }, () => accounts.save({ name: "one" }));
    expectTyped(await rejectionOf(accounts.update({ name: "one" }, { name: "two" })), "ACTOR_REQUIRED");
    expectTyped(await rejectionOf(accounts.delete({ name: "one" })), "ACTOR_REQUIRED");
    expect((await accounts.find()).map(({ name }) => name)).to.deep.equal(["one"]);
    expect(await accounts.update({ name: "nobody" }, { name: "two" }), "a write of no row").to.include({ affected: 0 });
  });
});
