import { expect } from "chai";
import { EventLogError, eventLog, type Capture, type EventLog } from "../../src/index.js";
import { withOwnSession } from "../../src/core/session.js";
import { sql } from "../../src/core/sql.js";
import { rejectionOf } from "../replay/application.js";
import { inTenant, Item, type Owner, owners, Part, Plain, policy, RowSecurity } from "./row-security-stage.js";

const captures: readonly Capture[] = ["trigger", "subscriber"];

/** Every call that reads a tracked table, or writes it by what it reads. */
const reading: Readonly<Record<string, (log: EventLog) => Promise<unknown>>> = {
  baseline: (log) => log.baseline(),
  verify: (log) => log.verify(),
  replay: (log) => log.replay(),
  "replay, dry": (log) => log.replay(undefined, { dryRun: true }),
  "replay by rebuilding": (log) => log.replay(undefined, { apply: "rebuild" }),
  "replay to the past": (log) => log.replay(1n),
  revert: (log) => log.revert(Item, 1, 1n),
  reconcile: (log) => log.reconcile(),
  "reconcile, dry": (log) => log.reconcile({ dryRun: true }),
  erase: (log) => log.erase(Item, 1),
};

/** That a call is refused, and says whose rows which policy hides from whom, and what to do. */
async function expectHidden(work: Promise<unknown>, stage: RowSecurity, what = ""): Promise<EventLogError> {
  const error = (await rejectionOf(work)) as EventLogError;
  expect(error, `${what} ${error.message}`).to.include({ code: "ROWS_HIDDEN" });
  expect(error.message, what).to.include(`item`).and.include(`from ${stage.owner}`).and.include("by by_tenant");
  expect(error.message, what).to.include("BYPASSRLS");
  return error;
}

/** Writes of two tenants in one transaction, through TypeORM, as the application, which the policy shows one at a time. */
async function writeForTwo(stage: RowSecurity): Promise<void> {
  await (
    await stage.open("application")
  ).transaction(async (manager) => {
    await manager.query(inTenant("a"));
    const one = await manager.save(Item, { id: 1, tenant: "a", name: "one" });
    await manager.query(inTenant("b"));
    await manager.save(Item, { id: 2, tenant: "b", name: "two" });
    await manager.query(inTenant("a"));
    await manager.save(Item, Object.assign(one, { name: "changed" }));
    await manager.query(inTenant("b"));
  });
}

/** An update of a tenant's record whose transaction ends under another tenant. */
async function updateForTwo(stage: RowSecurity): Promise<void> {
  await (
    await stage.open("application")
  ).transaction(async (manager) => {
    await manager.query(inTenant("a"));
    const one = await manager.findOneByOrFail(Item, { id: 1 });
    await manager.save(Item, Object.assign(one, { name: "again" }));
    await manager.query(inTenant("b"));
  });
}

async function expectComplete(stage: RowSecurity): Promise<void> {
  expect(await stage.recorded()).to.deep.equal(await stage.rows());
}

describe("row level security", function () {
  this.timeout(120_000);

  for (const capture of captures)
    for (const [name, owner] of Object.entries<Owner>(owners)) {
      const set = (
        title: string,
        work: (stage: RowSecurity) => Promise<void>,
        options?: Parameters<typeof RowSecurity.set>[3],
      ) =>
        it(`${title}: ${capture}, an owner of the log that ${name}`, () =>
          RowSecurity.set(capture, owner, work, options));

      if (capture === "subscriber" && owner.hidden)
        set("refuses install(), which writes nothing", async (stage) => {
          const error = await expectHidden(stage.install(), stage);
          expect(error.details).to.deep.equal({
            entities: ["Item"],
            tables: [{ table: "public.item", policies: ["by_tenant"] }],
          });
          expect(await stage.sql("select to_regnamespace('chronicle') as log")).to.deep.equal([{ log: null }]);
        });
      else
        set("lets two tenants write in one transaction, and all of it is recorded", async (stage) => {
          const log = await stage.install();
          await writeForTwo(stage);
          await expectComplete(stage);
          await updateForTwo(stage);
          await expectComplete(stage);
          expect((await stage.events()).map(({ action }) => action)).to.not.include("destroy");
          const now = await log.at(Item, [1, 2], (await log.status()).position, { sensitive: true });
          expect(now.map((item) => Object.assign({}, item))).to.deep.equal(await stage.rows());
          const findings = (await log.status()).findings.filter(({ code }) => code === "ROWS_HIDDEN");
          expect(findings.map(({ severity }) => severity)).to.deep.equal(owner.hidden ? ["warning"] : []);
          for (const { message } of findings)
            expect(message).to.include(`rows of public.item from ${stage.owner} (by by_tenant)`);
          await log.check();
          if (owner.hidden) await expectHidden(log.check({ strict: true }), stage);
        });

      if (capture === "subscriber" && owner.hidden) continue;

      for (const by of capture === "trigger" ? (["owner", "application", "superuser"] as const) : [])
        set(`records every row that a TRUNCATE by the ${by} takes, or none goes`, async (stage) => {
          await stage.install();
          await writeForTwo(stage);
          const before = await stage.events();
          const truncate = (await stage.open(by)).query(`${inTenant("a")}; truncate item`);
          if (owner.hidden) {
            const error = await expectHidden(truncate, stage);
            expect(error.message).to.include("TRUNCATE on public.item cannot be captured");
            expect(await stage.events()).to.deep.equal(before);
            expect(await stage.rows()).to.have.length(2);
          } else {
            await truncate;
            const destroys = (await stage.events()).slice(before.length);
            expect(destroys.map(({ action }) => action)).to.deep.equal(["destroy", "destroy"]);
          }
          await expectComplete(stage);
        });

      set(
        "refuses what would read a part of the rows before it writes anything, or lets it read all",
        async (stage) => {
          await stage.sql("insert into item values (9, 'c', 'from before'); insert into plain values (9)");
          const log = await stage.install();
          await writeForTwo(stage);
          for (const [call, run] of Object.entries(reading)) {
            if (!owner.hidden) {
              if (["baseline", "verify", "replay", "reconcile"].includes(call)) await run(log);
              continue;
            }
            const [rows, events] = [
              await stage.rows(),
              await stage.sql("select * from chronicle.event order by position"),
            ];
            const error = await expectHidden(run(log), stage, call);
            expect(error.details, call).to.deep.include({ entities: ["Item"] });
            expect(await stage.rows(), call).to.deep.equal(rows);
            expect(await stage.sql("select * from chronicle.event order by position"), call).to.deep.equal(events);
          }
          if (owner.hidden) {
            await log.baseline({ entities: [Plain] });
            await log.replay(undefined, { entities: [Plain] });
            await (await log.shadow()).drop();
            return;
          }
          await expectComplete(stage);
          expect(await log.verify()).to.include({ equal: true, checked: 4 });
          const { position } = await log.bookmark("then");
          const then = await stage.rows();
          await updateForTwo(stage);
          await log.revert(Item, 1, position);
          expect(await stage.rows()).to.deep.equal(then);
          await expectComplete(stage);
          await updateForTwo(stage);
          await log.replay(position);
          expect(await stage.rows()).to.deep.equal(then);
          await expectComplete(stage);
          await log.erase(Item, 2);
          expect((await stage.rows())[1]).to.deep.equal({ id: 2, tenant: "b", name: null });
          expect(await log.verify()).to.include({ equal: true, checked: 4 });
        },
      );

      if (owner.forced && owner.hidden) continue; // before the change it is the one that owns the table
      const force = "alter table item enable row level security, force row level security";
      const changes = owner.table === "owner" ? { "is forced": force, "gets a policy": `${force}; ${policy}` } : {};
      for (const [later, change] of Object.entries(changes))
        set(
          `is found, and lets nothing go unrecorded, where it ${later} after the install`,
          async (stage) => {
            if (later === "is forced") await stage.sql(`${policy}; alter table item enable row level security`);
            const log = await stage.install();
            await writeForTwo(stage);
            await expectComplete(stage);
            await stage.sql(change);
            const hidden = !owner.bypass;
            const found = (await log.status()).findings.filter(({ code }) => code === "ROWS_HIDDEN");
            const severity = capture === "subscriber" ? "error" : "warning";
            expect(found.map((finding) => finding.severity)).to.deep.equal(hidden ? [severity] : []);
            const application = eventLog(await stage.open("application"));
            expect((await application.status()).findings.filter(({ code }) => code === "ROWS_HIDDEN")).to.deep.equal(
              found,
            );
            const update = updateForTwo(stage);
            if (hidden && capture === "subscriber") {
              const error = await expectHidden(update, stage);
              expect(error.message).to.include("a write on public.item cannot be captured");
              await expectHidden(log.check(), stage);
              await expectHidden(log.install(), stage);
            } else {
              await update;
              expect((await stage.events()).at(-1)).to.deep.include({ action: "update", id: 1 });
              await log.check();
            }
            await expectComplete(stage);
            if (hidden) {
              await expectHidden(log.verify(), stage);
              if (capture === "trigger")
                await expectHidden((await stage.open("superuser")).query("truncate item"), stage);
            } else expect(await log.verify()).to.include({ equal: true, checked: 2 });
            await expectComplete(stage);
            await stage.sql(`alter role ${stage.owner} bypassrls`);
            expect(await log.verify()).to.include({ equal: true, checked: 2 });
            expect((await log.status()).findings.map(({ code }) => code)).to.not.include("ROWS_HIDDEN");
            await updateForTwo(stage);
            await expectComplete(stage);
          },
          { secured: false },
        );
    }

  it("without any policy hides all rows, and is named so", () =>
    RowSecurity.set(
      "trigger",
      owners["owns the table, by force"],
      async (stage) => {
        await stage.sql("alter table item enable row level security, force row level security");
        const log = await stage.install();
        await stage.sql("insert into item values (1, 'a', 'one')");
        expect((await rejectionOf(log.verify())).message).to.include("(no policy shows any)");
        const error = await rejectionOf((await stage.open("superuser")).query("truncate item"));
        expect(error).to.include({ code: "ROWS_HIDDEN" });
        expect(error.message).to.include("(no policy shows any)");
        await expectComplete(stage);
      },
      { secured: false },
    ));

  it("is no reason to take a table for one that was empty when it was first tracked", () =>
    RowSecurity.set("trigger", owners["owns the table, by force"], async (stage) => {
      await stage.sql("insert into item values (1, 'b', 'from before')");
      const log = await stage.install();
      const tracked = await stage.sql("select table_name, had_rows from chronicle.tracked order by 1");
      expect(tracked.map(({ had_rows }) => had_rows)).to.deep.equal([true, false]);
      await stage.sql(`alter role ${stage.owner} bypassrls`);
      expect(await log.baseline()).to.deep.equal({ rows: 1 });
      await expectComplete(stage);
    }));

  it("of a partitioned table lets TRUNCATE be recorded, and of a partition refuses it", () =>
    RowSecurity.set(
      "trigger",
      owners["owns the table, by force"],
      async (stage) => {
        const log = await stage.install();
        await writeForTwo(stage);
        const superuser = await stage.open("superuser");
        await superuser.query("truncate item");
        await expectComplete(stage);
        expect(await stage.recorded()).to.deep.equal([]);
        await writeForTwo(stage);
        await stage.sql("alter table item_b enable row level security, force row level security");
        const messages = (await log.status()).findings.map(({ message }) => message).join(" ");
        expect(messages).to.include("rows of public.item from").and.include("rows of public.item_b from");
        expect(messages).to.not.include("public.item_a");
        for (const table of ["item", "item_b"])
          expect(await rejectionOf(superuser.query(`truncate ${table}`))).to.include({ code: "ROWS_HIDDEN" });
        await expectComplete(stage);
        await superuser.query("truncate item_a");
        await expectComplete(stage);
        expect(await stage.recorded()).to.have.length(1);
      },
      {
        made: `create table item (id integer primary key, tenant text, name text) partition by range (id);
          create table item_a partition of item for values from (0) to (2);
          create table item_b partition of item for values from (2) to (100)`,
      },
    ));

  for (const [rewritten, change] of Object.entries({
    rows: "alter column name type varchar(40) using name || '!'",
    keys: "alter column id type bigint using id + 10",
  }))
    it(`keeps what a migration did to ${rewritten} unrecorded until they can be read, and status() says so`, () =>
      RowSecurity.set("trigger", owners["owns the table, by force"], async (stage) => {
        const log = await stage.install();
        await writeForTwo(stage);
        await stage.sql(`alter table item ${change}`);
        await log.install();
        expect((await log.status()).findings.map(({ message }) => message)).to.include(
          "What a migration did to rows of Item (public.item) is not recorded yet: row level security hides rows of it.",
        );
        await expectHidden(log.verify(), stage);
        await expectHidden(log.at(Item, 1, (await log.status()).position), stage);
        await expectHidden(log.shadow(), stage);
        await stage.sql(`alter role ${stage.owner} bypassrls`);
        const { schemaChanges } = await log.install();
        expect(schemaChanges).to.have.length(1);
        expect(schemaChanges[0]?.recordedRows).to.be.at.least(2);
        await expectComplete(stage);
        expect(await log.verify()).to.include({ equal: true });
      }));

  it("of a table that refers to a tracked one does not stop a dry replay", () =>
    RowSecurity.set("trigger", owners["owns the table"], async (stage) => {
      await stage.sql(`create table pointer (id integer references item); grant select on pointer to ${stage.owner};
        alter table pointer enable row level security`);
      const log = await stage.install();
      await writeForTwo(stage);
      await log.replay(undefined, { dryRun: true });
      const error = await rejectionOf(log.replay(undefined, { apply: "rebuild" }));
      expect(error).to.include({ code: "ROWS_HIDDEN" });
      expect(error.message).to.include('"pointer"');
      await log.replay();
      await expectComplete(stage);
    }));

  it("makes a statement of the library's own fail, in place of showing it a part", () =>
    RowSecurity.set("trigger", owners["owns the table, by force"], async (stage) => {
      await stage.sql("insert into item values (1, 'a', 'one')");
      const dataSource = await stage.open("owner");
      const read = (of: "rows" | "transaction" | "nested") =>
        withOwnSession(dataSource, async (session) => {
          if (of === "rows") return session.rows(sql`select id from public.item`);
          if (of === "transaction") return session.transaction(() => session.rows(sql`select id from public.item`));
          await session.sendQualified(sql`start transaction`);
          return session.nested(() => session.rows(sql`select id from public.item`));
        });
      for (const of of ["rows", "transaction", "nested"] as const) {
        const error = await rejectionOf(read(of));
        expect(error, of).to.include({ code: "ROWS_HIDDEN" });
        expect(error.message, of).to.include('"item"').and.include("BYPASSRLS");
      }
    }));

  it("is refused by PostgreSQL itself where it comes between the look and the reading of a commit", () =>
    RowSecurity.set("subscriber", owners["owns the table"], async (stage) => {
      await stage.install();
      await writeForTwo(stage);
      const look = "create or replace function chronicle.refuse_hidden_rows(relation oid, written text) returns void";
      await stage.sql(`${look} language plpgsql as 'begin end'`);
      await stage.sql("alter table item force row level security");
      const error = await rejectionOf(updateForTwo(stage));
      expect(error, error.message).to.include({ code: "ROWS_HIDDEN" });
      expect(error.message).to.include('"item"').and.include("BYPASSRLS");
      await expectComplete(stage);
    }));

  it("is no cover for rows that the database deletes with one that is removed", () =>
    RowSecurity.set(
      "subscriber",
      owners["bypasses row level security"],
      async (stage) => {
        await stage.install([Part]);
        const application = await stage.open("application", [Part]);
        const items = application.getRepository(Item);
        const remove = (id: number) =>
          application.transaction(async (manager) => {
            await manager.query(inTenant("a"));
            await manager.remove(await manager.findOneByOrFail(Item, { id }));
          });
        await items.save([1, 2].map((id) => ({ id, tenant: "a", name: null })));
        await application.getRepository(Part).save({ id: 1, item: { id: 1 } });
        await remove(2);
        await expectComplete(stage);
        await stage.sql("alter table part enable row level security");
        const error = await rejectionOf(remove(1));
        expect(error).to.include({ code: "WRITE_NOT_CAPTURED" });
        expect(error.message).to.include("row level security");
        await expectComplete(stage);
        expect(await stage.sql("select id from part")).to.deep.equal([{ id: 1 }]);
      },
      {
        secured: false,
        made: `create table item (id integer primary key, tenant text, name text);
          create table part (id integer primary key, "itemId" integer references item on delete cascade)`,
      },
    ));

  for (const capture of captures)
    it(`binds an insert of a row that its role may not select only where it has to return: ${capture}`, () =>
      RowSecurity.set(capture, owners["owns the table"], async (stage) => {
        await stage.install();
        const inserting = (await stage.open("application")).transaction(async (manager) => {
          await manager.query(inTenant("a"));
          await manager.insert(Item, { id: 1, tenant: "b", name: "another's" });
        });
        if (capture === "subscriber") expect(await rejectionOf(inserting)).to.include({ code: "42501" });
        else await inserting;
        expect(await stage.rows()).to.have.length(capture === "subscriber" ? 0 : 1);
        await expectComplete(stage);
      }));

  it("is left to the application's own statements, also in a transaction that the library used", () =>
    RowSecurity.set("subscriber", owners["bypasses row level security"], async (stage) => {
      await stage.install();
      await writeForTwo(stage);
      const application = await stage.open("application");
      const seen = await application.transaction(async (manager) => {
        await manager.query(inTenant("b"));
        await manager.save(Item, { id: 3, tenant: "b", name: "three" });
        return manager.find(Item, { order: { id: "asc" } });
      });
      expect(seen.map(({ id }) => id)).to.deep.equal([2, 3]);
      const off = application.query("set row_security = off; select from item");
      expect(await rejectionOf(off)).to.include({ code: "42501" });
    }));
});
