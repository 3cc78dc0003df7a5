import { expect } from "chai";
import type { QueryRunner } from "typeorm";
import { rejectionOf } from "../replay/application.js";
import { Account } from "../security/entities.js";
import { TrackedApplication } from "../tracked-application.js";
import { Account as Other, expectTyped } from "../typed-errors.js";

describe("a tracked table that is gone", () => {
  let app: TrackedApplication;

  afterEach(() => app.stop());

  for (const [what, sql] of [
    ["the table", "drop table account"],
    ["its schema", "drop schema public cascade"],
  ] as const) {
    it(`is named by every call that reads it, with the way out, where ${what} was dropped`, async function () {
      this.timeout(60_000);
      app = await TrackedApplication.start([Account]);
      await app.manager.save(Account, { name: "Ada", tax_number: "12" });
      const { log } = app;
      const { position } = await log.status();
      await app.query(sql);
      const calls = {
        history: () => log.history(Account, 1),
        at: () => log.at(Account, 1, position),
        changes: () => log.changes(Account, 1),
        verify: () => log.verify(),
        replay: () => log.replay(),
        shadow: () => log.shadow(),
        retain: () => log.retain({ since: new Date() }),
        revert: () => log.revert(Account, 1, position),
        baseline: () => log.baseline(),
        erase: () => log.erase(Account, 1),
        check: () => log.check(),
      };
      for (const [name, call] of Object.entries(calls)) {
        const error = await rejectionOf(call());
        expectTyped(error, "INSTALL_STALE", "The table public.account of Account does not exist.");
        expect(error, name).to.have.property("hint").that.includes("Run the migrations");
      }
    });
  }

  it("is told under the name that it was given in the meantime", async () => {
    app = await TrackedApplication.start([Account]);
    await app.manager.save(Account, { name: "Ada", tax_number: "12" });
    await app.query("alter table account rename to moved");
    expectTyped(await rejectionOf(app.log.verify()), "INSTALL_STALE", "is called", "moved");
  });
});

describe("install with what it cannot use", () => {
  let app: TrackedApplication;

  before(async () => void (app = await TrackedApplication.start([Other], { install: false })));
  after(() => app.stop());

  it("names a role that does not exist, and sets nothing up", async () => {
    for (const option of ["grantTo", "grantReadTo"] as const)
      expectTyped(await rejectionOf(app.log.install({ [option]: "nobody_such" })), "OPTIONS_INVALID", "nobody_such");
    expect(await app.log.status()).to.include({ installed: false });
  });

  it("refuses a query runner that is none", async () => {
    for (const queryRunner of [{}, null])
      expectTyped(
        await rejectionOf(app.log.install({ queryRunner: queryRunner as unknown as QueryRunner })),
        "OPTIONS_INVALID",
        "queryRunner",
      );
  });
});
