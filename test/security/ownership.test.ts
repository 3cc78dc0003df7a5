import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { query } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { Account } from "./entities.js";
import { inPlace, type Place } from "./place.js";

@Entity()
@Tracked()
class Thing {
  @PrimaryColumn("text") id!: string;
  @Column("text", { nullable: true }) state!: string | null;
}

/** Types that belong to somebody else; `T` is the schema of theirs. */
const types: Readonly<Record<string, string>> = {
  enum: "create type T.state as enum ('open')",
  "array of an enum":
    "create type T.one as enum ('open'); create domain T.state as text; create domain T.many as T.one[]",
  domain: "create domain T.state as text",
  composite: "create type T.state as (name text)",
  range: "create type T.state as range (subtype = integer)",
};

/** The column of the tracked table, by what it is made of. Made by the owner, over types of another. */
const columns: Readonly<Record<string, { readonly type: string; readonly wrap?: string; readonly column: string }>> = {
  "an enum": { type: "enum", column: "theirs.state" },
  "an array of an enum": { type: "enum", column: "theirs.state[]" },
  "a domain": { type: "domain", column: "theirs.state" },
  "a domain over a domain of theirs": { type: "domain", wrap: "create domain mine as theirs.state", column: "mine" },
  "a domain over an array of theirs": { type: "enum", wrap: "create domain mine as theirs.state[]", column: "mine" },
  "a composite": { type: "composite", column: "theirs.state" },
  "a composite with a column of theirs": { type: "enum", wrap: "create type mine as (a theirs.state)", column: "mine" },
  "a range": { type: "range", column: "theirs.state" },
  "a multirange": { type: "range", column: "theirs.state" },
  "a range over a type of theirs": {
    type: "enum",
    wrap: "create type mine as range (subtype = theirs.state)",
    column: "mine",
  },
};

const made = async ({ as, url, roles }: Place, type: string, wrap: string, column: string, by = roles.first) => {
  await query(
    url,
    `create schema theirs; grant all on schema theirs to public; set role ${by}; ${type.replaceAll("T.", "theirs.")}`,
  );
  await as("owner", `${wrap}; alter table thing drop column state; alter table thing add column state ${column}`);
};

describe("what others own", function () {
  this.timeout(60_000);

  for (const [name, { type, wrap = "select 1", column }] of Object.entries(columns))
    it(`is refused by install() as the type of a tracked column, unless a superuser owns it: ${name}`, async () => {
      await inPlace(
        async (place) => {
          await made(place, types[type] ?? "", wrap, column);
          const acceptOwners = [place.roles.second, place.roles.first];
          const error = await rejectionOf(place.log.install());
          expect(error).to.include({ code: "NOT_OWNER" });
          expect(error.message).to.match(
            new RegExp(
              `The type "?theirs.* belongs to ${place.roles.first}.*, and this role is ${place.roles.owner}\\.`,
            ),
          );
          expect((await rejectionOf(place.log.install({ acceptOwners: place.roles.second }))).message).to.equal(
            error.message,
          );
          expect(await place.log.install({ acceptOwners })).to.include({ changed: true });
          expect((await place.log.status()).findings).to.deep.equal([]);
          expect(await place.log.install({ acceptOwners })).to.include({ changed: false });
        },
        { entities: [Thing] },
      );
      await inPlace(
        async (place) => {
          await made(place, types[type] ?? "", wrap, column, "postgres");
          await place.log.install();
          expect((await place.log.status()).findings).to.deep.equal([]);
        },
        { entities: [Thing] },
      );
    });

  const tables: Readonly<Record<string, (role: string) => string>> = {
    table: (role) => `alter table thing owner to ${role}`,
    partition: (role) => `drop table thing; create table thing (id text primary key, state text) partition by list (id);
      create table part partition of thing default; alter table thing owner to OWNER; alter table part owner to ${role}`,
    "partition of a partition": (role) => `drop table thing;
      create table thing (id text primary key, state text) partition by list (id);
      create table part partition of thing default partition by list (id); create table deep partition of part default;
      alter table thing owner to OWNER; alter table part owner to OWNER; alter table deep owner to ${role}`,
    parent: (role) => `drop table thing; create table parent (id text primary key, state text) partition by list (id);
      create table thing partition of parent default;
      alter table thing owner to OWNER; alter table parent owner to ${role}`,
    "table that inherits": (role) => `create table heir () inherits (thing); alter table heir owner to ${role}`,
  };
  for (const [name, give] of Object.entries(tables))
    it(`is refused by install(), unless a superuser owns it: ${name}`, () =>
      inPlace(
        async ({ log, roles, url }) => {
          await query(url, give(roles.first).replaceAll("OWNER", roles.owner));
          const error = await rejectionOf(log.install());
          expect(error).to.include({ code: "NOT_OWNER" });
          expect(error.message).to.include(` belongs to ${roles.first}, and this role is ${roles.owner}.`);
          await query(url, `reassign owned by ${roles.first} to postgres`);
          if (name === "table" || name.startsWith("partition")) return; // the owner cannot put triggers on it
          if (name === "table that inherits") {
            expect(await rejectionOf(log.install()), "whoever owns it").to.include({ code: "CAPTURE_IMPAIRED" });
            return;
          }
          await log.install();
          expect((await log.status()).findings).to.deep.equal([]);
        },
        { entities: [Thing] },
      ));

  it("is found where it came to belong to them after install(): the table, a type of it, a trigger's function", () =>
    inPlace(
      async ({ as, log, roles, url }) => {
        await as("owner", "create type mood as enum ('good'); alter table thing add column mood mood");
        await log.install();
        expect((await log.status()).findings).to.deep.equal([]);
        const changes = {
          "The table public.thing": `alter table thing owner to ${roles.first}`,
          "The type public.mood": `alter type mood owner to ${roles.first}`,
          "The function public.seen() of a trigger on public.thing": `
            create function seen() returns trigger language plpgsql as 'begin return null; end';
            alter function seen() owner to ${roles.first};
            create trigger seen after insert on thing for each statement execute function seen()`,
        };
        for (const [what, change] of Object.entries(changes)) {
          await query(url, change);
          const found = (await log.status()).findings.map(({ code, message }) => `${code} ${message}`);
          expect(found.join("\n")).to.include(`RIGHTS_UNEXPECTED ${what} belongs to ${roles.first}`);
          await log.check();
          expect(await rejectionOf(log.check({ strict: true }))).to.include({ code: "RIGHTS_UNEXPECTED" });
        }
      },
      { entities: [Thing] },
    ));

  it("is accepted as the last install found it, and by no install that does not name its owner", () =>
    inPlace(
      async ({ as, log, roles, url }) => {
        await as("owner", "create type mood as enum ('good'); alter table thing add column mood mood");
        const found = async () => (await log.status()).findings.map(({ message }) => message);
        const acceptOwners = roles.first;
        await log.install({ acceptOwners });
        for (const [what, given] of Object.entries({
          "The type public.mood": "type mood",
          "The table public.thing": "table thing",
        })) {
          await query(url, `alter ${given} owner to ${roles.first}; grant all on thing to ${roles.owner}`);
          expect(await found(), "capture is still as it was").to.include(
            `${what} belongs to ${roles.first}, who can have code of theirs run when the log's owner writes or reads what is tracked.`,
          );
          expect(await log.install({ acceptOwners })).to.include({ changed: true });
          expect(await found()).to.deep.equal([]);
          expect(await rejectionOf(log.install())).to.include({ code: "NOT_OWNER" });
          expect(await found(), "a refused install changes nothing").to.deep.equal([]);
        }
        await query(
          url,
          `create function seen() returns trigger language plpgsql as 'begin return null; end';
          alter function seen() owner to ${roles.second};
          create trigger seen after insert on thing for each statement execute function seen()`,
        );
        expect(await found(), "the log writes to no table of others").to.deep.equal([]);
        await query(url, `alter type mood owner to ${roles.second}`);
        expect(await found()).to.deep.equal([
          `The type public.mood belongs to ${roles.second}, who can have code of theirs run when the log's owner writes or reads what is tracked.`,
        ]);
        await query(url, `alter type mood owner to ${roles.owner}; alter table thing owner to ${roles.owner}`);
        await query(url, "drop trigger seen on thing");
        expect(await log.install()).to.include({ changed: true });
        expect(await found()).to.deep.equal([]);
      },
      { entities: [Thing] },
    ));

  it("is no schema that the log takes", () =>
    inPlace(async ({ as, log, roles, url }) => {
      await query(
        url,
        `create schema chronicle authorization ${roles.first}; grant all on schema chronicle to ${roles.owner}`,
      );
      const error = await rejectionOf(log.install());
      expect(error).to.include({ code: "NOT_OWNER" });
      expect(error.message).to.include(`belongs to ${roles.first}, and this role is ${roles.owner}`);
      await as("first", "drop schema chronicle");
      await log.install();
    }));

  const planted: Readonly<Record<string, string>> = {
    table: "create table chronicle.planted ()",
    view: "create view chronicle.planted as select 1 as one",
    sequence: "create sequence chronicle.planted",
    function: "create function chronicle.table_name(regclass) returns text language sql as 'select null::text'",
    aggregate: "create aggregate chronicle.merge(json) (sfunc = json_planted, stype = json)",
    enum: "create type chronicle.planted as enum ('one')",
    composite: "create type chronicle.planted as (one integer)",
    domain: "create domain chronicle.planted as integer",
    operator: "create operator chronicle.= (leftarg = integer, rightarg = text, function = planted)",
    collation: 'create collation chronicle.planted from "C"',
    "text search dictionary": "create text search dictionary chronicle.planted (template = simple)",
  };
  for (const [kind, plant] of Object.entries(planted))
    it(`is refused in the log's schema, whenever it came there, and found: ${kind}`, () =>
      inPlace(async ({ as, log, roles, grants, url }) => {
        const make = async () => {
          await as("owner", `grant usage, create on schema chronicle to ${roles.first}`);
          await as("first", plant);
        };
        await as("owner", "create schema chronicle");
        await query(url, `grant create on schema public to ${roles.first}`);
        await as(
          "first",
          `create function json_planted(json, json) returns json language sql as 'select $1';
          create function planted(integer, text) returns boolean language sql as 'select true'`,
        );
        await make();
        const refused = async (call: () => Promise<unknown>) => {
          const error = await rejectionOf(call());
          expect(error).to.include({ code: "NOT_OWNER" });
          expect(error.message).to.match(
            new RegExp(
              `holds what others own: the ${kind === "enum" || kind === "domain" ? "type" : ""}.*chronicle\\..* of ${roles.first}`,
            ),
          );
        };
        await refused(() => log.install(grants));
        await as("first", `drop owned by ${roles.first}`);
        await query(url, `grant create on schema public to ${roles.first}`);
        await as(
          "first",
          `create function json_planted(json, json) returns json language sql as 'select $1';
          create function planted(integer, text) returns boolean language sql as 'select true'`,
        );
        await log.install(grants);
        await make();
        const found = (await log.status()).findings.map(({ message }) => message).join("\n");
        expect(found).to.match(
          new RegExp(`The role ${roles.first} owns the .*chronicle\\..*, which lies in the log's schema`),
        );
        await refused(() => log.install({ ...grants, grantReadTo: [] }));
        await as("owner", "insert into account (name) values ('Ada')");
        await refused(() => log.partition());
      }));
});

describe("who may do more with the log than install() gave", function () {
  this.timeout(60_000);

  it("is found among members, also of members, and is no superuser", () =>
    inPlace(async ({ log, roles, url }) => {
      await log.install();
      const of = ["pg_read_all_data", "pg_write_all_data", "pg_execute_server_program", roles.owner];
      const [{ v } = { v: "0" }] = await query<{ v: string }>(url, "select current_setting('server_version_num') as v");
      if (Number(v) >= 170_000) of.push("pg_maintain");
      for (const mighty of of) {
        await query(url, `grant ${mighty} to ${roles.first}; grant ${roles.first} to ${roles.second}`);
        const found = (await log.status()).findings.map(({ message }) => message).join("\n");
        for (const role of [roles.first, roles.second])
          expect(found).to.include(`The role ${role} is a member of ${mighty} and may do`);
        expect(await rejectionOf(log.check({ strict: true }))).to.include({ code: "RIGHTS_UNEXPECTED" });
        await log.check();
        await query(url, `alter role ${roles.first} superuser; alter role ${roles.second} superuser`);
        expect((await log.status()).findings).to.deep.equal([]);
        await query(
          url,
          `alter role ${roles.first} nosuperuser; alter role ${roles.second} nosuperuser;
          revoke ${mighty} from ${roles.first}; revoke ${roles.first} from ${roles.second}`,
        );
      }
      await query(url, `grant pg_read_all_data to ${roles.owner}`);
      expect((await log.status()).findings, "the owner itself").to.deep.equal([]);
    }));

  it("is found by what was made while there was a right", () =>
    inPlace(async ({ as, log, roles, url }) => {
      await log.install();
      await query(url, `grant create on schema public to ${roles.first}`);
      await as(
        "owner",
        `grant usage on schema chronicle to ${roles.first};
        grant execute on function chronicle.capture_1() to ${roles.first}; grant references on chronicle.activity to ${roles.first}`,
      );
      await as(
        "first",
        `create table mine (id uuid references chronicle.activity, name text);
        create trigger forge after insert on mine referencing new table as new_rows
          for each statement execute function chronicle.capture_1()`,
      );
      await log.install();
      const found = (await log.status()).findings.map(({ message }) => message);
      expect(found).to.deep.equal([
        `The role ${roles.first} owns public.mine, which has a capture trigger of the log: it writes events of a tracked table.`,
        `The role ${roles.first} owns the foreign key of public.mine to chronicle.activity: the log cannot delete what it refers to.`,
      ]);
    }));

  it("is found by TRIGGER on a tracked table: what it puts there runs as the log's owner, when that writes", () =>
    inPlace(async ({ as, log, roles, url }) => {
      await log.install();
      await query(url, `grant create on schema public to ${roles.first}`);
      await as(
        "owner",
        `insert into account (name, tax_number) values ('Ada', '12'); grant trigger on account to ${roles.first}`,
      );
      await as(
        "first",
        `create table ran (as_whom text); grant insert on ran to public;
        create function spy() returns trigger language plpgsql as 'begin insert into public.ran values (current_user); return null; end';
        create trigger spy after update on account for each row execute function spy()`,
      );
      await log.erase(Account, 1);
      expect(await as("first", "select as_whom from ran")).to.deep.equal([{ as_whom: roles.owner }]);
      const found = (await log.status()).findings.map(({ message }) => message).join("\n");
      expect(found).to.include(`The role ${roles.first} has TRIGGER on public.account`);
      expect(found).to.include(`The function public.spy() of a trigger on public.account belongs to ${roles.first}`);
    }));
});
