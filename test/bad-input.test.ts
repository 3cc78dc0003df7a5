import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import {
  Audited,
  eventLog,
  type EventLogOptions,
  override,
  type PointInTime,
  Sensitive,
  Tracked,
  upcast,
  withEventLog,
} from "../src/index.js";
import { expectSameRows } from "./live-rows.js";
import { application, rejectionOf } from "./replay/application.js";
import { Account, errorOf, expectTyped } from "./typed-errors.js";

describe("bad input to a running application", () => {
  const app = application({ entities: [Account], limits: { dataBytes: 4_000 } });
  const accounts = () => app.dataSource.getRepository(Account);

  async function nothingWritten() {
    expect(await accounts().count()).to.equal(0);
    expect(await app.position()).to.equal(0n);
  }

  it("refuses a row that is larger than an event may be, with all that its transaction wrote", async () => {
    const notes = { text: "x".repeat(8_000) };
    expectTyped(await rejectionOf(accounts().save({ name: "one", notes })), "LIMIT_EXCEEDED", "dataBytes");
    expectTyped(
      await rejectionOf(
        app.dataSource.transaction(async (manager) => {
          await manager.save(Account, { name: "small" });
          await manager.insert(Account, { name: "large", notes: notes as never });
        }),
      ),
      "LIMIT_EXCEEDED",
    );
    await nothingWritten();
    await accounts().save({ name: "after it" });
    expect(await app.position()).to.not.equal(0n);
  });

  it("refuses points that are none, and says how to write them", async () => {
    const { id } = await accounts().save({ name: "one" });
    const rows = await app.rows();
    const position = await app.position();
    const points: readonly [unknown, ...string[]][] = [
      [7, "number"],
      [null, "null"],
      [undefined, "undefined"],
      [{}, "object"],
      [{ bookmark: 7 }, "object"],
      [{ bookmark: "no such" }, '"no such"'],
      ["2026", "2026n"],
      ["2026-05-01", "offset"],
      ["2026-05-01T12:00:00", "offset"],
      ["2026-13-01T12:00:00Z", "2026-13-01"],
      ["2026-02-30T00:00:00Z", "no time that exists"],
      ["2025-02-29T00:00:00+02:00", "no time that exists"],
      [2n ** 70n, "after"],
      ["yesterday", "offset"],
      [new Date("nonsense"), "invalid"],
      [new Date("1990-01-01T00:00:00Z"), "before the log began"],
      ["2990-01-01T00:00:00Z", "future"],
      [0n, "before"],
      [-1n, "before"],
      [position + 1n, "after"],
    ];
    for (const [point, ...words] of points) {
      const given = point as PointInTime;
      expectTyped(await rejectionOf(app.log.at(Account, id, given)), "POINT_IN_TIME_UNKNOWN", ...words);
      if (point !== undefined) expectTyped(await rejectionOf(app.log.replay(given)), "POINT_IN_TIME_UNKNOWN", ...words);
      if (point !== undefined)
        expectTyped(await rejectionOf(app.events({ to: given })), "POINT_IN_TIME_UNKNOWN", ...words);
    }
    expectSameRows(await app.rows(), rows);
    expect(await app.position()).to.equal(position);
  });

  it("refuses a time that the clock went past twice, and lists the positions", async () => {
    const { id } = await accounts().save({ name: "one" });
    await accounts().update({ id }, { name: "two" });
    await accounts().update({ id }, { name: "three" });
    await app.sql(`set session_replication_role = replica;
      update chronicle.event set occurred_at = case data ->> 'name' when 'one' then timestamptz '2026-05-01T12:00:00Z' when 'two' then '2026-05-01T13:00:00Z' else '2026-05-01T12:00:01Z' end;
      reset session_replication_role`);
    const error = await rejectionOf(app.log.at(Account, id, "2026-05-01T12:30:00Z"));
    expectTyped(error, "POINT_IN_TIME_AMBIGUOUS", "positions");
  });

  it("refuses ids that are none of the entity's", async () => {
    for (const id of [
      null,
      undefined,
      {},
      { id: {} },
      "not a number",
      { name: "one" },
      Number.NaN,
      2 ** 53,
      new Date("nonsense"),
      { id: Number.NaN },
    ] as const)
      expectTyped(await rejectionOf(app.log.history(Account, id as never)), "OPTIONS_INVALID", "Account");
    class Stranger {}
    for (const entity of [Stranger, "Stranger"])
      expectTyped(await rejectionOf(app.log.history(entity, 1)), "NOT_TRACKED", "Stranger");
  });

  it("refuses text that Postgres cannot hold, wherever a caller passes it", async () => {
    const { id } = await accounts().save({ name: "Ada" });
    const calls = [
      () => app.log.at(Account, id, { bookmark: "a\0b" }),
      () => app.log.history(Account, "a\0b"),
      () => app.events({ tenant: "a\0b" }),
      () => app.events({ actor: { type: "user", id: "\0" } }),
      () => app.log.bookmark("a\0b"),
    ];
    for (const call of calls) expectTyped(await rejectionOf(call()), "OPTIONS_INVALID");
  });

  it("refuses to read the events of an entity that nobody knows", async () => {
    const read = async () => {
      for await (const event of app.log.events({ entity: "Acount" })) throw new Error(`read ${event.position}`);
    };
    expect(await rejectionOf(read())).to.include({ code: "NOT_TRACKED" });
  });

  it("refuses filters and options that are none", async () => {
    for (const filter of [
      { entityName: "x" },
      { recordId: 1 },
      { action: "insert" },
      { actor: "ada" },
      { actor: null },
      { after: 1 },
      { order: "up" },
      { limit: -1 },
    ])
      expectTyped(await rejectionOf(app.events(filter as object)), "OPTIONS_INVALID", "events");
    for (const options of [{ unknown: "keep" }, { unknownRows: "all" }, { lockTimeoutMs: -1 }])
      expectTyped(await rejectionOf(app.log.replay(undefined, options as object)), "OPTIONS_INVALID", "replay");
    const { log } = app;
    const mistyped: Readonly<Record<string, (options: object) => Promise<unknown>>> = {
      at: (options) => log.at(Account, 1, new Date(), options),
      changes: (options) => log.changes(Account, 1, options),
      verify: (options) => log.verify(options),
      shadow: (options) => log.shadow(undefined, options),
      baseline: (options) => log.baseline(options),
      erase: (options) => log.erase(Account, 1, options),
      install: (options) => log.install(options),
      uninstall: (options) => log.uninstall(options),
      reconcile: (options) => log.reconcile(options),
      partition: (options) => log.partition(options),
      retain: (options) => log.retain(options as never),
      tail: async (options) => log.tail(options)[Symbol.asyncIterator]().next(),
    };
    for (const [call, work] of Object.entries(mistyped))
      expectTyped(await rejectionOf(work({ sinse: 1n })), "OPTIONS_INVALID", call, "sinse");
    const { activity } = log;
    const all: typeof mistyped = {
      ...mistyped,
      replay: (options) => log.replay(undefined, options),
      events: (filter) => app.events(filter),
      cleanup: (options) => activity.cleanup(options as never),
      failures: (options) => activity.failures(options),
      summary: (options) => activity.summary(options),
      recordNow: (entry) => activity.recordNow("sign_in", entry),
      search: (options) => activity.search(options)[Symbol.asyncIterator]().next() as Promise<unknown>,
      export: (options) => activity.export("/nowhere/at-all.jsonl", options),
    };
    for (const [call, work] of Object.entries(all)) {
      for (const none of [null, 5])
        expectTyped(await rejectionOf(work(none as never)), "OPTIONS_INVALID", call, String(none));
    }
    const wrong: readonly [() => Promise<unknown>, ...string[]][] = [
      [() => activity.failures({ subject: "ada", windowSecond: 3 } as object), "windowSecond"],
      [() => activity.summary({ hour: 3 } as object), "hour"],
      [() => activity.recordNow("sign_in", { foo: 1 } as object), "foo"],
      [() => activity.export("/nowhere/at-all.jsonl", { form: "csv" } as object), "form"],
      [() => all["search"]!({ action: 5 }), "action", "5"],
      [() => all["search"]!({ actor: null }), "actor"],
      [() => log.erase(Account, 1, { columns: "tax_number" as never }), "columns", "tax_number"],
      [() => log.shadow(undefined, { onProgress: 1 as never }), "onProgress"],
      [() => log.baseline({ onProgress: 1 as never }), "onProgress"],
      [() => log.verify({ onDifference: 1 as never }), "onDifference"],
      [() => mistyped["tail"]!({ signal: 1 }), "signal"],
      [() => log.install({ lockTimeoutMs: Number.NaN }), "install", "lockTimeoutMs", "NaN"],
      [() => log.partition({ lockTimeoutMs: "9" as never }), "partition", "lockTimeoutMs", '"9"'],
      [() => log.uninstall({ queryRunner: {} as never }), "uninstall", "queryRunner"],
      [() => log.changes(Account, 1, [] as never), "changes", "a list"],
      [() => app.events({ limitt: 1 } as object), 'events: unknown option "limitt". Did you mean "limit"?'],
    ];
    const year = (await rejectionOf(log.retain({ since: "2026" }))) as Error;
    expectTyped(year, "OPTIONS_INVALID", "since", "not a year");
    expect(year.message).to.not.include("bigint");
    for (const [work, ...words] of wrong) expectTyped(await rejectionOf(work()), "OPTIONS_INVALID", ...words);
    for (const name of ["", "  ", 7, "a\0b"])
      expectTyped(await rejectionOf(app.log.bookmark(name as string)), "OPTIONS_INVALID", "bookmark");
    await app.log.bookmark("twice");
    expectTyped(await rejectionOf(app.log.bookmark("twice")), "BOOKMARK_EXISTS", "twice");
  });

  it("deletes nothing of the activity log where the call's options are mistyped", async () => {
    const { activity } = app.log;
    await activity.recordNow("sign_in", { occurredAt: new Date(Date.now() - 200 * 86_400_000) });
    for (const [options, word] of [
      [{ olderThanDays: 100, dryrun: true }, "dryrun"],
      [{ olderThanDays: 100, dryRun: "yes" }, "dryRun"],
      [undefined, "undefined"],
    ] as const)
      expectTyped(await rejectionOf(activity.cleanup(options as never)), "OPTIONS_INVALID", "cleanup", word);
    expect(await activity.cleanup({ olderThanDays: 100, dryRun: true })).to.include({ entries: 1 });
  });

  it("says where an entity is undefined, as imports in a circle give it", async () => {
    const { log } = app;
    const [none, now] = [undefined as never, new Date()];
    for (const call of [
      () => log.history(none, 1),
      () => log.at(none, 1, now),
      () => log.changes(none, 1),
      () => log.revert(none, 1, now),
      () => log.erase(none, 1),
      () => log.replay(undefined, { entities: [none] }),
    ]) {
      const error = await rejectionOf(call());
      expectTyped(error, "OPTIONS_INVALID", "an entity", "undefined", "import each other");
    }
    for (const make of [
      () => upcast(none, "create", { from: 1 }, (row) => row),
      () => override(null as never, "create", { versions: [1] }, () => undefined),
    ])
      expectTyped(errorOf(make), "OPTIONS_INVALID", "an entity", "import each other");
  });

  it("refuses what a decorator, a handler or a DataSource cannot be given, as it is made", () => {
    for (const [make, ...words] of [
      [() => upcast(Account, "create", { from: 1, to: 2 } as never, (row) => row), "upcast", "to"],
      [
        () => override(Account, "create", { versions: [1], action: "x" } as never, () => undefined),
        "override",
        "action",
      ],
      [() => Sensitive({ erasd: "x" } as object), "@Sensitive", "erasd"],
      [() => Audited("account.close", { dataSorce: () => 1 } as object), '@Audited("account.close")', "dataSorce"],
      [() => Tracked({ version: "1" as never })(class Text {}), "version", "1"],
      [() => Tracked({ version: "2x" as never })(class Text {}), "version", "2x"],
      [() => Tracked(null as never)(class Text {}), "options", "null"],
      [() => withEventLog(undefined as never), "withEventLog", "undefined"],
    ] as readonly [() => unknown, ...string[]][])
      expectTyped(errorOf(make), "OPTIONS_INVALID", ...words);
    for (const [options, ...words] of [
      [{ clockSkewSeconds: Number.NaN }, "NaN"],
      [{ clockSkewSeconds: 1e300 }, "clockSkewSeconds", "86400"],
      [{ limits: { dataBytes: 1e12 } }, "limits.dataBytes", "67108864"],
      [{ schema: "é".repeat(32) }, "schema", "63 bytes"],
      [{ schema: "pg_log" }, "schema", "pg_"],
      [{ lok: {} }, 'unknown option "lok"', 'Did you mean "lock"?'],
    ] as readonly [object, ...string[]][])
      expectTyped(
        errorOf(() => withEventLog({ type: "postgres" }, options)),
        "OPTIONS_INVALID",
        ...words,
      );
    expectTyped(
      errorOf(() => eventLog(undefined as never)),
      "NOT_ATTACHED",
      "undefined",
    );
  });

  it("stops a replay whose handlers are wrong, before anything is changed", async () => {
    @Entity({ name: "account" })
    @Tracked({ name: "Account", version: 2 })
    class Second {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
      @Column("jsonb", { nullable: true }) notes!: unknown;
    }
    await accounts().save([{ name: "one" }, { name: "two" }]);
    await app.spoil("update account set name = 'spoilt'");
    const rows = await app.rows();
    const handlers: readonly [EventLogOptions["replay"], string, ...string[]][] = [
      [{}, "REPLAY_VERSION_UNHANDLED", "Account create of version 1"],
      [
        { upcasters: [upcast(Second, "create", { from: 1 }, (row) => ({ ...row, nmae: 1 }))] },
        "UNKNOWN_COLUMN",
        '"nmae"',
      ],
      [
        {
          upcasters: [
            upcast(Second, "create", { from: 1 }, () => {
              throw new Error("no way");
            }),
          ],
        },
        "REPLAY_OVERRIDE_FAILED",
        "no way",
        "position",
      ],
      [
        {
          overrides: [
            override(Second, "create", { versions: [1] }, async (event, state) => {
              await state.create(Second, { ...event.data });
              if (event.data["name"] === "two") throw new Error("at the second");
            }),
          ],
        },
        "REPLAY_OVERRIDE_FAILED",
        "at the second",
        "Account create version 1",
      ],
      [
        {
          overrides: [
            override(Second, "create", { versions: [1] }, (event, state) =>
              state.create(Second, { ...event.data, colour: "red" }),
            ),
          ],
        },
        "UNKNOWN_COLUMN",
        '"colour"',
      ],
    ];
    for (const [replay, code, ...words] of handlers) {
      const { log } = await app.open({ entities: [Second], replay });
      expectTyped(await rejectionOf(log.replay()), code, ...words);
      expectSameRows(await app.rows(), rows);
    }
  });

  it("refuses two tracked tables of one name wherever the names are asked for", async () => {
    @Entity({ name: "other" })
    @Tracked({ name: "Account" })
    class Other {
      @PrimaryGeneratedColumn() id!: number;
    }
    const { log, dataSource } = await app.open({ entities: [Account, Other] });
    for (const call of [() => log.install(), () => log.check(), () => log.replay()])
      expectTyped(await rejectionOf(call()), "OPTIONS_INVALID", '"Account"', "public.other");
    expectTyped(await rejectionOf(dataSource.manager.save(Account, { name: "one" })), "OPTIONS_INVALID", '"Account"');
    await nothingWritten();
  });
});
