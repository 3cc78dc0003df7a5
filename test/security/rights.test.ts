import { readFile } from "node:fs/promises";
import { expect } from "chai";
import pg from "pg";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { eventLog, Sensitive, Tracked } from "../../src/index.js";
import { createDatabase, query } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { newDataSource } from "../tracked-application.js";
import { Account } from "./entities.js";
import { inPlace, type Place, type Roles, server } from "./place.js";
import { grantAll, heldBy, objectsIn, withRoles } from "./rights.js";

@Entity()
@Tracked()
class Parcel {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") label!: string;
  @Column("integer", { default: 0 }) weight!: number;
  @Column("jsonb", { nullable: true }) contents!: unknown;
  @Column("text", { nullable: true }) @Sensitive() recipient!: string | null;
}

const defaults = (roles: Roles, where: string) =>
  ["tables", "sequences", "functions", "types", ...(where === "" ? ["schemas"] : [])]
    .map((kind) => `alter default privileges ${where} grant all on ${kind} to ${roles.first}, public`)
    .join(";\n");

/** Ways in which rights come before there is anything to have them on. */
const before: Readonly<Record<string, (roles: Roles) => string>> = {
  "default privileges": (roles) => defaults(roles, ""),
  "default privileges of the schema": (roles) =>
    `create schema chronicle; ${defaults(roles, "in schema chronicle")}; grant all on schema chronicle to ${roles.first}, public`,
};

/** Ways in which they come to what is there, and who has them then. */
const afterwards: Readonly<
  Record<string, { readonly give: (place: Place) => Promise<void>; readonly to: readonly (keyof Roles)[] }>
> = {
  "a grant": {
    to: ["first"],
    give: async ({ as, url, roles }) => {
      for (const object of await objectsIn(url, "chronicle")) await as("owner", grantAll(object, roles.first));
    },
  },
  "a grant that was passed on": {
    to: ["first", "second"],
    give: async ({ as, url, roles }) => {
      const objects = await objectsIn(url, "chronicle");
      for (const object of objects) await as("owner", `${grantAll(object, roles.first)} with grant option`);
      for (const object of objects) await as("first", grantAll(object, roles.second));
    },
  },
  "a grant to everyone": {
    to: ["nobody"],
    give: async ({ as, url }) => {
      for (const object of await objectsIn(url, "chronicle")) await as("owner", grantAll(object, "public"));
    },
  },
  "a grant on columns that was passed on": {
    to: ["first", "second"],
    give: async ({ as, url, roles }) => {
      for (const { kind, name, oid } of await objectsIn(url, "chronicle")) {
        if (kind !== "table") continue;
        const [{ list }] = (await query(
          url,
          `select string_agg(quote_ident(attname), ', ') as list from pg_attribute
          where attrelid = $1 and attnum > 0 and not attisdropped`,
          [oid],
        )) as [{ list: string | null }];
        if (list === null) continue;
        await as("owner", `grant usage on schema chronicle to ${roles.first} with grant option`);
        await as("owner", `grant all (${list}) on ${name} to ${roles.first} with grant option`);
        await as("first", `grant usage on schema chronicle to ${roles.second}`);
        await as("first", `grant all (${list}) on ${name} to ${roles.second}`);
      }
    },
  },
  "a grant by a role that install() named": {
    to: ["first"],
    give: async ({ as, roles }) => {
      for (const [role, object] of [
        ["application", "execute on function chronicle.flush(jsonb)"],
        ["reader", "select on chronicle.event"],
      ] as const) {
        await as("owner", `grant ${object} to ${roles[role]} with grant option`);
        await as(role, `grant ${object} to ${roles.first}`);
      }
    },
  },
};

const takenBack: Readonly<Record<string, (place: Place) => Promise<unknown>>> = {
  "the same install()": ({ log, grants }) => log.install(grants),
  "partition()": async ({ as, log }) => {
    await as("owner", "insert into account (name) values ('Ada')");
    await log.partition();
  },
};

describe("rights on the log that install() did not give", function () {
  this.timeout(120_000);

  for (const [way, prepare] of Object.entries(before))
    it(`nobody has on what the log ever makes: ${way}`, () =>
      inPlace(
        async ({ as, log, grants, strangers, roles, url }) => {
          await as("owner", "create table public.control (id serial)");
          if (way === "default privileges")
            expect(await heldBy(url, "public", roles.first), "of what is made by hand").to.include(
              "SELECT table public.control",
            );
          await as("owner", `revoke all on account from ${roles.first}, public`);
          await log.install(grants);
          expect(await strangers(), "after install()").to.deep.equal([]);
          await as("owner", "insert into account (name, tax_number) values ('Ada', '12')");
          await log.partition();
          await as("owner", "insert into account (name, tax_number) values ('Grace', '13')");
          await log.partition();
          expect(await strangers(), "after partition()").to.deep.equal([]);
          await log.retain({ since: new Date(Date.now() + 1) });
          expect(await strangers(), "after retain()").to.deep.equal([]);
          const shadow = await log.shadow();
          expect(await strangers(shadow.schema), "of a shadow").to.deep.equal([]);
          await shadow.drop();
          const given = (await log.status()).findings.map(({ message }) => message);
          expect(given.filter((message) => !message.startsWith("The owner of the log gives"))).to.deep.equal([]);
          for (const [kind, to] of [
            ["tables", roles.first],
            ["sequences", "everyone"],
          ])
            expect(given.join("\n")).to.include(`The owner of the log gives ${to} rights on ${kind} that it makes.`);
          expect(given.join("\n")).to.include(`The owner of the log gives ${roles.first} rights on functions`);
          expect(await rejectionOf(log.check({ strict: true }))).to.include({ code: "RIGHTS_UNEXPECTED" });
          await log.check();
        },
        { prepare },
      ));

  for (const [way, { give, to }] of Object.entries(afterwards))
    for (const [call, takeBack] of Object.entries(takenBack))
      it(`are found, each, and taken back by ${call}: ${way}`, () =>
        inPlace(async (place) => {
          const { log, grants, roles, url, strangers } = place;
          await log.install(grants);
          await log.partition();
          expect((await log.status()).findings).to.deep.equal([]);
          await log.check({ strict: true });
          const named = async () => [
            await heldBy(url, "chronicle", roles.application),
            await heldBy(url, "chronicle", roles.reader),
          ];
          const asGiven = await named();

          await give(place);
          const found = (await log.status()).findings;
          for (const role of to) {
            const held = await heldBy(url, "chronicle", roles[role]);
            expect(held, `what ${role} was given`).to.not.have.length(0);
            const who = role === "nobody" ? "Everyone" : `The role ${roles[role]}`;
            for (const right of held) {
              const [privilege, kind, ...name] = right.split(" ");
              const said = `${who} has ${privilege} on the ${kind === "function" ? "routine" : kind} ${name.join(" ")}`;
              expect(
                found.some(({ message }) => message.startsWith(said)),
                said,
              ).to.equal(true);
            }
          }
          expect(await rejectionOf(log.check({ strict: true }))).to.include({ code: "RIGHTS_UNEXPECTED" });
          await log.check();

          await takeBack(place);
          expect(await strangers()).to.deep.equal([]);
          expect(await named(), "what the named roles have").to.deep.equal(asGiven);
          expect((await log.status()).findings).to.deep.equal([]);
          expect(await log.install(grants), "an install with nothing to take back").to.include({ changed: false });
        }));

  it("nobody has on a log of the first version that was brought up to date", () =>
    inPlace(
      async ({ as, log, grants, strangers, roles }) => {
        await as("owner", await readFile(new URL("../../../test/install/first-log.sql", import.meta.url), "utf8"));
        expect((await strangers()).length, "what its default privileges gave").to.be.greaterThan(50);
        await as("owner", "insert into parcel (label) values ('one')");
        await log.install(grants);
        expect(await strangers()).to.deep.equal([]);
        expect(await log.verify()).to.include({ equal: true });
        await as("owner", `revoke all on parcel from ${roles.first}, public`);
        const left = (await log.status()).findings.filter(({ message }) => !message.startsWith("The owner of the log"));
        expect(left).to.deep.equal([]);
      },
      { prepare: (roles) => defaults(roles, ""), entities: [Parcel] },
    ));

  it("go with the name in grantTo or grantReadTo", () =>
    inPlace(async ({ log, grants, roles, url }) => {
      await log.install(grants);
      expect(await heldBy(url, "chronicle", roles.application)).to.not.have.length(0);
      expect(await heldBy(url, "chronicle", roles.reader)).to.not.have.length(0);
      await log.install({ grantTo: roles.reader });
      expect(await heldBy(url, "chronicle", roles.application)).to.deep.equal([]);
      expect(await heldBy(url, "chronicle", roles.reader)).to.not.include("SELECT table chronicle.event");
      await log.install();
      expect(await heldBy(url, "chronicle", roles.reader)).to.deep.equal([]);
      expect((await log.status()).findings).to.deep.equal([]);
    }));

  it("stay with a role that has another name now, and are no stumbling block once a role was dropped", () =>
    inPlace(async ({ log, grants, roles, url, as }) => {
      await log.install(grants);
      const held = await heldBy(url, "chronicle", roles.application);
      await query(url, `alter role ${roles.application} rename to "${roles.application} now"`);
      expect((await log.status()).findings).to.deep.equal([]);
      await log.partition();
      expect(await heldBy(url, "chronicle", `${roles.application} now`)).to.include.members(held);
      await query(url, `drop owned by ${roles.reader}; drop role ${roles.reader}`);
      await as("owner", "insert into account (name) values ('Ada')");
      await log.partition();
      expect((await log.status()).findings).to.deep.equal([]);
      expect(await rejectionOf(log.install({ grantReadTo: roles.reader }))).to.include({ code: "OPTIONS_INVALID" });
      await query(
        url,
        `create role ${roles.reader}; alter role "${roles.application} now" rename to ${roles.application}`,
      );
      expect(await log.install(grants), "of a role that was made again").to.include({ changed: true });
      expect(await heldBy(url, "chronicle", roles.reader)).to.include("SELECT table chronicle.event");
    }));

  it("are given, found and taken under any name that a role can have", () =>
    withRoles(server(), [`Owner "of" it's`, "Application-1", "user"], async (roles) => {
      const [owner, application, reader] = Object.values(roles) as [string, string, string];
      const database = await createDatabase();
      const q = pg.escapeIdentifier;
      await query(
        database.url,
        `grant create on database "${new URL(database.url).pathname.slice(1)}" to ${q(owner)};
        grant create on schema public to ${q(owner)}`,
      );
      const url = Object.assign(new URL(database.url), { username: owner }).href;
      const owned = await newDataSource(url, [Account], { synchronize: true }).initialize();
      try {
        const log = eventLog(owned);
        await log.install({ grantTo: application, grantReadTo: reader });
        expect((await log.status()).findings).to.deep.equal([]);
        expect(await heldBy(database.url, "chronicle", reader)).to.include("SELECT table chronicle.event");
        await owned.query(`grant all on chronicle.event to ${q(application)} with grant option`);
        expect((await log.status()).findings.map(({ message }) => message).join()).to.include(q(application));
        await log.partition();
        expect((await log.status()).findings).to.deep.equal([]);
        expect(await heldBy(database.url, "chronicle", application)).to.not.include("SELECT table chronicle.event");
      } finally {
        await owned.destroy();
        await database.drop();
      }
    }));

  it("has nobody, and everything works, where one role owns all and is the application", () =>
    inPlace(async ({ log, as }) => {
      await log.install();
      await as("owner", "insert into account (name, tax_number) values ('Ada', '12')");
      await as("owner", "update account set name = 'Grace'");
      await log.activity.recordNow("tried");
      await log.partition();
      await as("owner", "update account set name = 'Edsger'");
      await log.erase(Account, 1);
      expect(await log.verify()).to.include({ equal: true });
      await log.replay();
      await log.retain({ since: new Date(Date.now() + 1) });
      expect((await log.activity.cleanup({ olderThanDays: 0 })).entries).to.be.greaterThan(0);
      expect((await log.status()).findings).to.deep.equal([]);
      await log.check({ strict: true });
    }));
});
