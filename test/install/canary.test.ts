import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Column, type DataSource, Entity, PrimaryGeneratedColumn } from "typeorm";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { type EventLog, eventLog, Sensitive, Tracked, withRequestContext } from "../../src/index.js";
import { query } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { newDataSource } from "../tracked-application.js";

@Entity()
@Tracked()
class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("text", { nullable: true, unique: true, name: "tax_number" }) @Sensitive() taxNumber!: string | null;
  @Column("text", { nullable: true, select: false }) note!: string | null;
}

const canary = "canary-7f3a";

/** Everything that an error can tell, its causes too. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  const own = Object.fromEntries(Object.getOwnPropertyNames(error).map((key) => [key, Reflect.get(error, key)]));
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
  return `${JSON.stringify({ ...own, cause: undefined, driverError: undefined, parameters: undefined }, plain)} ${error.cause === undefined ? "" : textOf(error.cause)}`;
}

describe("a sensitive value", () => {
  let postgres: RunningPostgres;
  /** The application: what it sends itself is not logged here. */
  let application: DataSource;
  /** The same code on connections that log every statement with its parameters. */
  let dataSource: DataSource;
  let log: EventLog;
  const serverLog = () => readFile(join(dirname(postgres.dataDir ?? ""), "server.log"), "utf8");

  before(async function () {
    this.timeout(60_000);
    postgres = await startPostgres({
      server: "own",
      settings: { log_statement: "all", log_min_messages: "debug1", log_parameter_max_length_on_error: -1 },
    });
    const silent = "-c log_statement=none -c log_min_messages=panic";
    application = newDataSource(postgres.url, [Account], { synchronize: true, extra: { options: silent } });
    await application.initialize();
    await query(
      `${postgres.url}?options=${encodeURIComponent(silent)}`,
      `insert into account (name, tax_number, note) values ('before', '${canary}-before', '${canary}')`,
    );
    dataSource = newDataSource(postgres.url, [Account]);
    await dataSource.initialize();
    log = eventLog(dataSource);
    await log.install({ grantReadTo: [] });
    await log.baseline();
  });
  after(async () => {
    await application?.destroy();
    await dataSource?.destroy();
    await postgres?.stop();
  });

  it("appears in no answer, no server log, no statistics view, whatever is asked of the log", async function () {
    this.timeout(60_000);
    const accounts = application.getRepository(Account);
    const told: unknown[] = [];
    const { id } = await withRequestContext({ actor: { type: "user", id: "1" }, metadata: { why: "test" } }, () =>
      accounts.save({ name: "Ada", taxNumber: `${canary}-1`, note: `${canary}-note` }),
    );
    const { position } = await log.bookmark("before");
    await accounts.update({ id }, { taxNumber: `${canary}-2`, name: "Ada L." });
    await accounts.delete({ name: "before" });

    for await (const event of log.events()) told.push(event);
    told.push(await log.history(Account, id), await log.changes(Account, id), await log.at(Account, id, position));
    await log.at(Account, id, position, { sensitive: true }); // its answer has it, the server's log does not
    told.push(await log.status(), await log.verify());
    told.push(await log.replay({ bookmark: "before" }), await log.replay({ bookmark: "before" }, { dryRun: true }));
    told.push(await log.replay(position), await log.verify());
    told.push(await query(postgres.url, "select query from pg_stat_activity"));
    expect(await accounts.countBy({ taxNumber: `${canary}-1` }), "rows that hold it").to.equal(1);

    const text = JSON.stringify(told, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    expect(text).to.include("Ada").and.to.include("pg_stat_activity");
    expect(text).to.not.include(canary);
    expect(await serverLog())
      .to.include("chronicle")
      .and.to.match(/parameters: /i);
    expect(await serverLog()).to.not.include(canary);
  });

  it("appears in no error of the library, nor in what caused it", async function () {
    this.timeout(60_000);
    const accounts = application.getRepository(Account);
    await accounts.save({ name: "Bo", taxNumber: `${canary}-3` });
    const small = newDataSource(postgres.url, [Account], {}, { limits: { dataBytes: 2_000 } });
    await small.initialize();
    try {
      await eventLog(small).install();
      const large = { name: "Di", taxNumber: canary.repeat(1_000) };
      const tooLarge = await rejectionOf(small.getRepository(Account).insert(large));
      expect(tooLarge).to.include({ code: "LIMIT_EXCEEDED" });
      const shownTooLarge = await rejectionOf(
        small.getRepository(Account).insert({ name: "Di".repeat(1_500), taxNumber: canary }),
      );
      expect(shownTooLarge).to.include({ code: "LIMIT_EXCEEDED" });
      for (const error of [tooLarge, shownTooLarge]) {
        expect(textOf(Reflect.get(error, "driverError")))
          .to.include("dataBytes")
          .and.not.include(canary);
      }
      expect(await accounts.countBy({ taxNumber: canary })).to.equal(0);
    } finally {
      await log.install();
      await small.destroy();
    }

    // A constraint that what the log holds does not meet.
    await query(
      postgres.url,
      `alter table account disable trigger all; update account set tax_number = null;
      alter table account enable trigger all; alter table account add constraint short check (length(tax_number) < 9)`,
    );
    const broken = await rejectionOf(log.replay());
    expect(broken).to.include({ code: "REPLAY_INVALID_ROWS" });
    expect(textOf(broken)).to.include("short").and.not.include(canary);
    await query(postgres.url, "alter table account drop constraint short");

    // A column whose type changed, and what it held before does not cast to it.
    const before = await log.bookmark("before the change");
    await query(
      postgres.url,
      `update account set tax_number = 'other ' || id; alter table account alter tax_number type integer using null`,
    );
    await log.install();
    const unreadable = await rejectionOf(log.shadow({ bookmark: before.name }));
    expect(unreadable).to.include({ code: "VALUE_NOT_CASTABLE" });
    expect(textOf(unreadable)).to.include("tax_number").and.not.include(canary);
  });
});
