import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { eventLog, track } from "../../src/index.js";
import { storeEvent } from "../../src/testing/index.js";
import { rejectionOf } from "../replay/application.js";
import type { Values } from "./others.js";
import { eventsOf, refusing, Stage } from "./others-stage.js";
import { entities as ownEntities } from "./world.js";

const entityOf = (name: string) =>
  new EntitySchema<Values>({
    name,
    tableName: "note",
    schema: "shop",
    columns: {
      id: { type: "integer", primary: true },
      label: { type: "text", nullable: true },
      email: { type: "text", nullable: true },
      tags: { type: "text", array: true, nullable: true },
      doc: { type: "json", nullable: true },
      more: { type: "jsonb", nullable: true },
    },
  });
const note = track(entityOf("Note of theirs"));
const audited = track(entityOf("Audited note of theirs"), { auditOnly: true });

/** A table of the attacker's. What is constant in an index, the planner computes whenever a statement reads the table. */
const table = (roles: { readonly owner: string; readonly application: string }) => `
  create table shop.note (id integer primary key, label text, email theirs.email, tags text[], doc json, more jsonb,
    made text generated always as (theirs.planned('generated')::text) stored,
    check (theirs.ran('check of the table')));
  create index on shop.note ((length(label) + case when theirs.planned('index') then 0 else 1 end));
  create policy anybody on shop.note using (theirs.ran('policy')) with check (true);
  grant all on shop.note to ${roles.owner}, ${roles.application}`;

describe("a table of an owner who is accepted", function () {
  this.timeout(120_000);

  it("has code that any naive statement runs, one that reads no row too", () =>
    Stage.set("trigger", async (stage) => {
      await stage.as("attacker", table(stage.world.roles));
      const did = ", and did: reset role, and did: set session authorization default";
      for (const [role, name] of [["owner", stage.world.roles.owner] as const, ["superuser", "postgres"] as const]) {
        expect(await stage.naively(role, "select from shop.note limit 0")).to.include(`index as ${name}${did}`);
        expect(await stage.naively(role, "set constraint_exclusion = on; select from shop.note limit 0")).to.include(
          `index as ${name}${did}`,
        );
        expect(await stage.naively(role, "insert into shop.note values (1)")).to.include(
          `check of the table as ${name}${did}`,
        );
        expect(await stage.naively(role, "delete from shop.note")).to.include(`index as ${name}${did}`);
      }
    }));

  for (const installer of ["owner", "superuser"] as const)
    it(`is captured without its running as the log's owner, and read by nothing else: ${installer}`, () =>
      Stage.set("trigger", async (stage) => {
        const { roles } = stage.world;
        await stage.as("attacker", table(roles));
        if (installer === "owner") await stage.as("attacker", "alter table shop.note enable row level security");
        const log = eventLog(await stage.open(installer, [note]));
        const asked = { grantTo: roles.application, acceptOwners: [roles.attacker] };
        const refused = await rejectionOf(log.install({ ...asked, acceptOwners: [roles.application] }));
        expect(refused).to.include({ code: "NOT_OWNER" });
        expect(refused.message).to.include(`The table shop.note belongs to ${roles.attacker}`);
        expect(refused.message).to.include("install({ acceptOwners })");
        await log.install(asked);
        const [tracked] = await stage.world.query("select had_rows from chronicle.tracked");
        expect(tracked).to.deep.equal({ had_rows: false });
        const one = { id: 1, label: "one", email: "ada@a.example", tags: ["a", 'b "c"'], doc: { a: [1] }, more: ["x"] };
        const other = { id: 2, label: "two", email: null, tags: null, doc: null, more: "text" };
        const application = await stage.open("application", [note]);
        const notes = application.getRepository(note);
        await notes.save(one);
        await notes.save(other);
        await application.query("update shop.note set label = 'all'");
        await notes.delete({ id: 2 });
        const events = (await eventsOf(log, note)).map(({ action, data }) => ({ action, data }));
        expect(events).to.deep.equal([
          { action: "create", data: one },
          { action: "create", data: other },
          { action: "update", data: { label: "all" } },
          { action: "update", data: { label: "all" } },
          { action: "destroy", data: {} },
        ]);
        const truncated = await rejectionOf(application.query("truncate shop.note"));
        expect(truncated).to.include({ code: "OTHER_OWNER" });
        expect(truncated.message).to.include("TRUNCATE on shop.note cannot be captured");
        expect(await log.history(note, 1)).to.have.length(2);
        expect(await log.at(note, [1, 2], 2n)).to.deep.equal([one, other]);
        expect(await log.changes(note, 1, { from: 2n })).to.deep.equal([
          { column: "label", before: "one", after: "all" },
        ]);
        const reading = { verify: (from: typeof log) => from.verify() };
        for (const [name, call] of Object.entries({ ...refusing(note, 3n), ...reading })) {
          const error = await rejectionOf(call(log));
          expect(error, name).to.include({ code: "OTHER_OWNER" });
          expect(error.message, name).to.include(`The table shop.note belongs to ${roles.attacker}`);
        }
        expect(await eventsOf(log, note)).to.have.length(5);
        await log.status();
        expect(await stage.searched()).to.deep.equal([]);
        expect(stage.ran).to.deep.equal([]);
      }));

  it("is followed by install() when it changes, without its rows being read", () =>
    Stage.set("trigger", async (stage) => {
      const { roles } = stage.world;
      await stage.as("attacker", `${table(roles)}; insert into shop.note values (1, 'one')`);
      const log = eventLog(await stage.open("superuser", [note]));
      const asked = { acceptOwners: [roles.attacker], grantTo: roles.application };
      await log.install(asked);
      expect(await stage.world.query("select had_rows from chronicle.tracked")).to.deep.equal([{ had_rows: true }]);
      const application = await stage.open("application", [note]);
      for (const change of [
        "add column later theirs.email default 'a@b'",
        "alter column id type bigint using id + 1",
        "rename column label to title",
        "rename column title to label",
        "add column one text generated always as (label || theirs.planned('generated')::text) stored",
      ]) {
        await stage.as("attacker", `alter table shop.note ${change}`);
        await application.query("update shop.note set email = '!'");
        await log.status();
        await log.install(asked);
        await application.query("update shop.note set email = null");
      }
      expect(await eventsOf(log, note)).to.have.length(10);
      expect(stage.ran).to.deep.equal([]);
      expect(await rejectionOf(log.at(note, 1, new Date()))).to.include({ code: "OTHER_OWNER" });
      const found = (await log.status()).findings.filter(({ code }) => code !== "RIGHTS_UNEXPECTED");
      expect(found.map(({ message }) => message)).to.deep.equal([
        "What a migration did to rows of Note of theirs (shop.note) is not recorded yet: that would run code of another role.",
      ]);
    }));

  it("is not read to explain why a stored value has no place in it", () =>
    Stage.set("trigger", async (stage) => {
      const { roles } = stage.world;
      await stage.as("attacker", table(roles));
      const dataSource = await stage.open("superuser", [note]);
      const log = eventLog(dataSource);
      await log.install({ acceptOwners: [roles.attacker], grantTo: roles.application });
      const recordId = { id: 9 };
      await storeEvent(dataSource, {
        entity: note,
        recordId,
        action: "create",
        version: 1,
        data: { id: 9, tags: "none" },
      });
      expect(await rejectionOf(log.at(note, 9, new Date()))).to.include({ code: "VALUE_NOT_CASTABLE" });
      expect(await rejectionOf(log.changes(note, 9))).to.include({ code: "VALUE_NOT_CASTABLE" });
      expect(stage.ran).to.deep.equal([]);
    }));

  it("is left out by what goes through all tables, if it is for audit only, and other entities are replayed", () =>
    Stage.set("trigger", async (stage) => {
      const { roles } = stage.world;
      await stage.as("attacker", table(roles));
      const own = ownEntities["integer"]!;
      const log = eventLog(await stage.open("owner", [audited, own]));
      await log.install({ acceptOwners: roles.attacker, grantTo: roles.application });
      const application = await stage.open("application", [audited, own]);
      await application.getRepository(audited).save({ id: 1, label: "one" });
      await application.getRepository(own).save({ id: 1, label: "one" });
      const { position } = await log.bookmark("then");
      await application.getRepository(own).save({ id: 1, label: "two" });
      expect(await log.verify()).to.include({ equal: true, checked: 1 });
      await (await log.shadow()).drop();
      await log.replay(position);
      await log.retain({ since: new Date(), dryRun: true });
      expect(await log.at(audited, 1, position)).to.include({ label: "one" });
      expect(await log.at(own, 1, position)).to.include({ label: "one" });
      expect(stage.ran).to.deep.equal([]);
    }));

  it("is refused under subscriber capture, which reads it", () =>
    Stage.set("subscriber", async (stage) => {
      const { roles } = stage.world;
      await stage.as("attacker", table(roles));
      const log = eventLog(await stage.open("owner", [note]));
      const error = await rejectionOf(log.install({ acceptOwners: roles.attacker }));
      expect(error).to.include({ code: "OTHER_OWNER" });
      expect(error.message).to.include(`The table shop.note belongs to ${roles.attacker}`);
      expect(await stage.world.query("select to_regnamespace('chronicle') as log")).to.deep.equal([{ log: null }]);
      expect(stage.ran).to.deep.equal([]);
    }));

  it("is not read by a replay of the table that it refers to, and keeps a rebuild from it", () =>
    Stage.set("trigger", async (stage) => {
      const { roles } = stage.world;
      await stage.as(
        "owner",
        `create table shop.own (id integer primary key, name text);
        grant all on shop.own to ${roles.application};
        grant references on shop.own to ${roles.attacker}`,
      );
      await stage.as(
        "attacker",
        `create table theirs.pointer (id integer references shop.own, label text);
        create index on theirs.pointer ((length(label) + case when theirs.planned('index') then 0 else 1 end))`,
      );
      const own = track(
        new EntitySchema<Values>({
          name: "Own",
          tableName: "own",
          schema: "shop",
          columns: { id: { type: "integer", primary: true }, name: { type: "text" } },
        }),
      );
      await eventLog(await stage.open("owner", [own])).install({ grantTo: roles.application });
      const log = eventLog(await stage.open("superuser", [own]));
      const owns = (await stage.open("application", [own])).getRepository(own);
      await owns.save({ id: 1, name: "one" });
      await owns.update(1, { name: "changed" });
      await stage.as("attacker", "insert into theirs.pointer values (1)");
      await log.replay(1n, { dryRun: true });
      const error = await rejectionOf(log.replay(1n, { apply: "rebuild" }));
      expect(error).to.include({ code: "REPLAY_BLOCKED_BY_REFERENCES" });
      expect(error.message).to.include("theirs.pointer (by pointer_id_fkey; it belongs to another role");
      await log.replay(1n);
      expect(await owns.find()).to.deep.equal([{ id: 1, name: "one" }]);
      expect(stage.ran).to.deep.equal([]);
    }));

  // Why rows of others are not rebuilt by functions of their owners, which would seem to keep their code to their rights.
  it("has code that would outlive a function of its owner, and run at the commit as whoever commits, before PostgreSQL 18", () =>
    Stage.set("trigger", async (stage) => {
      const { attacker, owner } = stage.world.roles;
      await stage.world.query("create table shop.secret as select 'secret' as word");
      await stage.world.query(`alter table shop.secret owner to ${owner}`);
      await stage.as(
        "attacker",
        `create table theirs.loot (as_role name, word text);
        grant all on theirs.loot to public;
        create table theirs.later (times integer);
        create function theirs.spy() returns trigger language plpgsql as $$
          declare found text := 'refused';
          begin
            begin
              select word into found from shop.secret;
            exception when insufficient_privilege then null;
            end;
            insert into theirs.loot values (current_user, found);
            -- Fired early, it waits for the commit once more.
            set constraints all deferred;
            if new.times > 0 then insert into theirs.later values (new.times - 1); end if;
            return null;
          end $$;
        create constraint trigger spy after insert on theirs.later deferrable initially deferred
          for each row execute function theirs.spy();
        create function theirs.checked() returns boolean language plpgsql as $$
          begin
            insert into theirs.later values (1);
            return true;
          end $$;
        create table theirs.bill (id integer check (theirs.checked()));
        create function theirs.rebuild() returns void language plpgsql security definer as $$
          begin
            insert into theirs.bill values (1);
            set constraints all immediate;
            set constraints all deferred;
          end $$;
        grant execute on function theirs.rebuild() to ${owner}; grant usage on schema theirs to ${owner}`,
      );
      await stage.as("owner", "select theirs.rebuild()");
      const [{ version } = {}] = await stage.world.query(
        "select current_setting('server_version_num')::integer as version",
      );
      expect(await stage.world.query("select * from theirs.loot")).to.deep.equal([
        { as_role: attacker, word: "refused" },
        Number(version) < 180_000 ? { as_role: owner, word: "secret" } : { as_role: attacker, word: "refused" },
      ]);
    }));
});
