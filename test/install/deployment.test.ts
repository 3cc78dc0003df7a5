import { expect } from "chai";
import pg from "pg";
import { Column, type DataSource, Entity, PrimaryGeneratedColumn } from "typeorm";
import { type EventLogOptions, eventLog, Sensitive, Tracked, withRequestContext } from "../../src/index.js";
import { query } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Ticket {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
  @Column("text", { nullable: true }) @Sensitive() phone!: string | null;
}

const actor = { actor: { type: "user", id: "1" } };

describe("a deployment", () => {
  let app: TrackedApplication;
  const opened: DataSource[] = [];
  afterEach(async () => {
    for (const dataSource of opened.splice(0)) if (dataSource.isInitialized) await dataSource.destroy();
    await app?.stop();
  });

  async function another(
    more: Parameters<typeof newDataSource>[2] = {},
    log: EventLogOptions = {},
    url = app.database.url,
  ) {
    const dataSource = newDataSource(url, [Ticket], more, log);
    opened.push(dataSource);
    await dataSource.initialize();
    return dataSource;
  }

  it("refuses the first tracked write before install, sends nothing, and asks again the next time", async () => {
    const sent: string[] = [];
    class Listening extends pg.Client {
      override query(...parameters: unknown[]): never {
        const [given] = parameters as [string | { text: string }];
        sent.push(typeof given === "string" ? given : given.text);
        return (super.query as (...rest: unknown[]) => never)(...parameters);
      }
    }
    app = await TrackedApplication.start([Ticket], { install: false, dataSource: { extra: { Client: Listening } } });
    const tickets = app.dataSource.getRepository(Ticket);
    sent.length = 0;
    for (const write of [
      () => tickets.insert({ title: "one" }),
      () => tickets.update({ id: 1 }, { title: "one" }),
      () => tickets.delete({ id: 1 }),
      () => tickets.save({ title: "one" }),
      () => app.dataSource.query("insert into ticket (title) values ('one')"),
    ])
      expect(await rejectionOf(write())).to.include({ code: "NOT_INSTALLED" });
    expect(sent.filter((text) => /\b(insert into|update|delete from)\b.*ticket/i.test(text))).to.deep.equal([]);
    expect(await tickets.count()).to.equal(0);
    await app.log.install();
    await tickets.save({ title: "one" });
    expect(await app.countEvents()).to.equal(1);
  });

  it("of two DataSources writes one log, and both read it", async () => {
    app = await TrackedApplication.start([Ticket]);
    const other = await another();
    await app.manager.save(Ticket, { title: "one" });
    await other.manager.update(Ticket, { id: 1 }, { title: "two" });
    for (const log of [app.log, eventLog(other)])
      expect((await log.history(Ticket, 1)).map(({ data }) => data["title"])).to.deep.equal(["one", "two"]);
  });

  it("may have two logs on one table, each complete and each with its own triggers", async () => {
    app = await TrackedApplication.start([Ticket]);
    const other = await another({}, { schema: "Audit 2" });
    const logs = [app.log, eventLog(other)];
    expect(await rejectionOf(other.manager.save(Ticket, { title: "early" }))).to.include({ code: "NOT_INSTALLED" });
    expect(await eventLog(other).install()).to.include({ changed: true });
    await withRequestContext(actor, () => app.manager.save(Ticket, { title: "one" }));
    await withRequestContext(actor, () => other.manager.update(Ticket, { id: 1 }, { title: "two" }));
    await other.manager.transaction((manager) =>
      withRequestContext(actor, () => manager.update(Ticket, { id: 1 }, { title: "three" })),
    );
    for (const log of logs) {
      const told = (await log.history(Ticket, 1)).map((event) => [event.data["title"], event.actor?.id]);
      expect(told).to.deep.equal([
        ["one", "1"],
        ["two", "1"],
        ["three", "1"],
      ]);
      expect(await log.install()).to.include({ changed: false });
      await log.check();
      expect(await log.verify()).to.include({ equal: true });
    }
    await app
      .query(
        `truncate chronicle.event_sensitive; alter table chronicle.event disable trigger all; delete from chronicle.event`,
      )
      .catch(() =>
        app.query(
          "alter table chronicle.event_sensitive disable trigger all; alter table chronicle.event disable trigger all; truncate chronicle.event_sensitive; delete from chronicle.event",
        ),
      );
    await app.log.uninstall();
    await other.manager.update(Ticket, { id: 1 }, { title: "four" });
    expect(await eventLog(other).history(Ticket, 1)).to.have.length(4);
  });

  it("with replicas reads from them and writes to the master", async () => {
    app = await TrackedApplication.start([Ticket]);
    const replica = `${app.database.url}?options=${encodeURIComponent("-c default_transaction_read_only=on")}`;
    const { url: _, ...rest } = { url: app.database.url };
    const replicated = await another({
      ...rest,
      replication: { master: { url: app.database.url }, slaves: [{ url: replica }] },
    });
    const log = eventLog(replicated);
    expect(await log.install()).to.include({ changed: false });
    await withRequestContext(actor, async () => {
      const { id } = await replicated.manager.save(Ticket, { title: "one" });
      expect(await replicated.manager.findOneByOrFail(Ticket, { id })).to.include({ title: "one" });
      const reader = replicated.createQueryRunner("slave");
      await reader.startTransaction();
      expect(await reader.query("show transaction_read_only")).to.deep.equal([{ transaction_read_only: "on" }]);
      expect(await reader.manager.find(Ticket)).to.have.length(1);
      await reader.commitTransaction();
      await reader.release();
      await replicated.transaction((manager) => manager.update(Ticket, { id }, { title: "two" }));
      expect((await log.history(Ticket, id)).map((event) => event.actor?.id)).to.deep.equal(["1", "1"]);
      expect((await log.at(Ticket, id, 1n))?.title).to.equal("one");
    });
    expect(await log.verify()).to.include({ equal: true });
    await log.check();
  });

  describe("whose role has no rights on the log", () => {
    let role: string;
    let restricted: DataSource;
    let asRole: string;
    beforeEach(async () => {
      role = `app "${Math.random().toString(36).slice(2)}"`;
      app = await TrackedApplication.start([Ticket], { install: false });
      await app.query(`create role ${pg.escapeIdentifier(role)} login password 'secret'`);
      await app.query(
        `grant select, insert, update, delete, truncate on ticket to ${pg.escapeIdentifier(role)}; grant usage on sequence ticket_id_seq to ${pg.escapeIdentifier(role)}`,
      );
      const url = new URL(app.database.url);
      url.username = encodeURIComponent(role);
      url.password = "secret";
      asRole = url.href;
    });
    afterEach(async () => {
      await restricted?.destroy();
      await app.query(`drop owned by ${pg.escapeIdentifier(role)}; drop role ${pg.escapeIdentifier(role)}`);
    });

    it("writes tracked tables and passes the gate, and can neither read nor change nor forge events", async () => {
      await app.log.install({ grantTo: role });
      restricted = newDataSource(asRole, [Ticket]);
      await restricted.initialize();
      await eventLog(restricted).check();
      await withRequestContext(actor, async () => {
        const { id } = await restricted.manager.save(Ticket, { title: "one", phone: "1" });
        await restricted.manager.transaction((manager) => manager.update(Ticket, { id }, { title: "two" }));
        await restricted.manager.delete(Ticket, { id });
        await restricted.query("truncate ticket");
      });
      expect((await app.log.history(Ticket, 1)).map(({ action }) => action)).to.deep.equal([
        "create",
        "update",
        "destroy",
      ]);
      for (const statement of [
        "select * from chronicle.event",
        "select * from chronicle.event_sensitive",
        "select * from chronicle.bookmark",
        "insert into chronicle.event (table_name, entity, record_id, record_key, action, version, data, previous) values ('public.ticket', 'Ticket', '{}', '1', 'create', 1, '{}', '{}')",
        "insert into chronicle.event_sensitive values (1, '{}', '{}')",
        "update chronicle.event set data = '{}'",
        "delete from chronicle.event",
        "truncate chronicle.event",
        "update chronicle.tracked set plain_columns = '{}'",
        "update chronicle.installation set require_actor = false",
        "insert into chronicle.gate default values",
        "select nextval('chronicle.event_position_seq')",
        `select chronicle.append(array[row(1, 'public.ticket', null, '{"id": 9}')::chronicle.change], 'baseline')`,
        "select chronicle.track('ticket'::regclass, '{}', '[]', null, '{}')",
        "alter table ticket disable trigger all",
        `drop trigger " chronicle insert" on ticket`,
        "alter table chronicle.event disable trigger append_only",
        "create function chronicle.mine() returns void language sql as ''",
        "set session_replication_role = replica",
        `create trigger forged after insert on chronicle.event for each statement execute function chronicle.refuse_change()`,
      ])
        expect((await rejectionOf(query(asRole, statement))).message, statement).to.match(
          /permission denied|must be owner/,
        );
      for (const call of [
        () => eventLog(restricted).install(),
        () => eventLog(restricted).erase(Ticket, 1),
        () => eventLog(restricted).replay(),
      ])
        expect(await rejectionOf(call())).to.include({ code: "NOT_OWNER" });
      expect(await app.countEvents()).to.equal(3);
    });

    it("writes what it may where it was granted nothing of the log", async () => {
      await app.log.install();
      restricted = newDataSource(asRole, [Ticket]);
      await restricted.initialize();
      await withRequestContext(actor, () =>
        restricted.manager.transaction((manager) => manager.save(Ticket, { title: "one" })),
      );
      expect((await app.log.history(Ticket, 1)).map((event) => event.actor?.id)).to.deep.equal(["1"]);
    });

    it("reads events, and no sensitive values, where it is granted that", async () => {
      await app.log.install({ grantTo: role, grantReadTo: [role] });
      restricted = newDataSource(asRole, [Ticket]);
      await restricted.initialize();
      await restricted.manager.save(Ticket, { title: "one", phone: "1" });
      const read = [];
      for await (const event of eventLog(restricted).events({ entity: Ticket })) read.push(event.data);
      expect(read).to.deep.equal([{ id: 1, title: "one" }]);
      expect(await rejectionOf(query(asRole, "select * from chronicle.event_sensitive"))).to.include({ code: "42501" });
      expect(await eventLog(restricted).history(Ticket, 1)).to.have.length(1);
      expect(await eventLog(restricted).status()).to.include({ installed: true, position: 1n });
    });
  });

  it("gives every function that runs as its definer a fixed search_path, and calls none of the application's", async () => {
    app = await TrackedApplication.start([Ticket]);
    const functions = await app.query<{ name: string; config: string[] | null; definer: boolean }>(
      "select proname as name, proconfig as config, prosecdef as definer from pg_proc where pronamespace = 'chronicle'::regnamespace",
    );
    const definers = functions.filter(({ definer }) => definer);
    expect(definers.map(({ name }) => name))
      .to.include("capture_1")
      .and.to.include("append");
    for (const { name, config } of definers)
      expect(config, name).to.include.members(["search_path=pg_catalog, pg_temp"]);
    await app.query(`create schema hostile;
      create function hostile.to_jsonb(anyelement) returns jsonb language sql as $$ select '{"hacked": true}'::jsonb $$;
      create function public.jsonb_build_object(variadic "any") returns jsonb language internal as 'jsonb_build_object';
      create table hostile.event (like chronicle.event)`);
    await app.query(
      "set search_path = hostile, public, pg_catalog; insert into ticket (title) values ('one'); reset search_path",
    );
    expect((await app.log.history(Ticket, 1)).map(({ data }) => data)).to.deep.equal([{ id: 1, title: "one" }]);
  });
});
