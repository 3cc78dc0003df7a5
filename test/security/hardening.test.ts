import { expect } from "chai";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import { eventLog } from "../../src/index.js";
import { createDatabase, query } from "../database.js";
import { newDataSource } from "../tracked-application.js";
import { Account } from "./entities.js";

describe("the roles of docs/hardening.md", () => {
  it("are enough to install, write, read and replay, and leave nothing for a strict check to find", async () => {
    const page = await readFile(join(ROOT, "docs/hardening.md"), "utf8");
    const made = /^```sql\n([\s\S]*?)^```/m.exec(page)?.[1] ?? "";
    const database = await createDatabase();
    const prefix = `shop_${randomBytes(4).toString("hex")}`;
    const [owner, application, auditor] = ["owner", "app", "auditor"].map((role) => `${prefix}_${role}`);
    const open = (role = "") =>
      newDataSource(Object.assign(new URL(database.url), { username: role, password: "…" }).href, [Account], {
        synchronize: role === owner,
      }).initialize();
    const name = new URL(database.url).pathname.slice(1);
    await query(
      database.url,
      made.replaceAll("shop_", `${prefix}_`).replaceAll(/\bdatabase shop\b/g, `database ${name}`),
    );
    try {
      const owned = await open(owner);
      await owned.query(`grant select, insert, update, delete on account to ${application};
        grant usage on sequence account_id_seq to ${application}`);
      const log = eventLog(owned);
      await log.install({ grantTo: application, grantReadTo: auditor });
      await log.check({ strict: true });
      const written = await open(application);
      await written.manager.insert(Account, { name: "Ada" });
      const read = await open(auditor);
      expect(await eventLog(read).history(Account, 1)).to.have.length(1);
      expect((await log.replay()).drift).to.equal(0);
      for (const dataSource of [owned, written, read]) await dataSource.destroy();
    } finally {
      await database.drop();
      const server = Object.assign(new URL(database.url), { pathname: "/postgres" }).href;
      await query(server, `drop role if exists ${owner}, ${application}, ${auditor}`);
    }
  });
});
