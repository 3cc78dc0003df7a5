import { expect } from "chai";
import pg from "pg";
import { createHash } from "node:crypto";
import { eventLog, type EventLogOptions, type LockKey, withEventLog, withRequestContext } from "../../src/index.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";
import { blog, Post, Tag } from "./entities/blog.js";
import { unique } from "./paths/write-path.js";

const aTag = (name = unique("tag")): Tag => Object.assign(new Tag(), { name, color: "red" });

/** An advisory lock that somebody waits for or holds, as pg_locks has it. */
interface Lock {
  readonly key: string;
  readonly mode: "ExclusiveLock" | "ShareLock";
}

const hashed = (text: string) => String(createHash("sha256").update(text).digest().readBigInt64BE(0));

describe("the lock of the log", () => {
  let application: TrackedApplication;
  let outside: pg.Client;

  before(async () => {
    application = await TrackedApplication.start(blog, { log: { capture: "subscriber" } });
    outside = new pg.Client({ connectionString: application.database.url });
    await outside.connect();
  });
  after(async () => {
    await outside?.end();
    await application?.stop();
  });

  const locks = async (granted: boolean): Promise<Lock[]> =>
    application.query<Lock & pg.QueryResultRow>(
      `select case objsubid when 1 then ((classid::bigint << 32) | objid::bigint)::text else classid || ',' || objid end as key, mode
       from pg_locks where locktype = 'advisory' and granted = $1 and database = (select oid from pg_database where datname = current_database())
       and pid <> $2 order by 1`,
      [granted, (outside as unknown as { processID: number }).processID],
    );

  /** Runs a write with the log's options while somebody holds a lock that it has to wait for. Gives the lock waited for, and those held. */
  async function waitedFor(
    log: EventLogOptions,
    hold: string,
    write: (dataSource: ReturnType<typeof newDataSource>) => Promise<unknown> = ({ manager }) => manager.save(aTag()),
  ): Promise<{ waiting: Lock[]; held: Lock[]; rowLocks: string }> {
    const dataSource = newDataSource(application.database.url, blog, {}, log);
    await dataSource.initialize();
    try {
      await eventLog(dataSource).install();
      await outside.query(`select ${hold}`);
      const written = write(dataSource);
      written.catch(() => undefined);
      let waiting: Lock[] = [];
      for (let tries = 0; waiting.length === 0 && tries < 200; tries++) {
        waiting = await locks(false);
        if (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const held = await locks(true);
      const rowLocks = await application.value(
        "select count(*) from pg_locks where locktype = 'relation' and mode = 'RowExclusiveLock' and relation = 'tag'::regclass",
      );
      await outside.query("select pg_advisory_unlock_all()");
      await written;
      return { waiting, held, rowLocks };
    } finally {
      await outside.query("select pg_advisory_unlock_all()");
      await dataSource.destroy();
    }
  }

  const keys: readonly (readonly [string, LockKey, string, string])[] = [
    ["AshEvents' default", 2_147_483_647, "2147483647", "2147483647"],
    ["a bigint", 9_007_199_254_740_993n, "9007199254740993", "9007199254740993"],
    ["a negative integer", -5, "-5", "-5"],
    ["a pair of integers", [7, 2_147_483_647], "7, 2147483647", "7,2147483647"],
    [
      "a string, hashed to 64 bits",
      "the log of the shop",
      hashed("the log of the shop"),
      hashed("the log of the shop"),
    ],
  ];
  for (const [what, key, sql, shown] of keys) {
    it(`has the key that was given: ${what}`, async () => {
      const { waiting } = await waitedFor({ capture: "subscriber", lock: { key } }, `pg_advisory_lock(${sql})`);
      expect(waiting).to.deep.equal([{ key: shown, mode: "ShareLock" }]);
    });
  }

  it("is shared, so that writers do not wait for each other, or exclusive, so that they do", async () => {
    const hold = "pg_advisory_lock_shared(11)";
    const lock = { key: 11 };
    const { waiting } = await waitedFor({ capture: "subscriber", lock: { ...lock, mode: "exclusive" } }, hold);
    expect(waiting).to.deep.equal([{ key: "11", mode: "ExclusiveLock" }]);
    const shared = newDataSource(application.database.url, blog, {}, { capture: "subscriber", lock });
    await shared.initialize();
    await outside.query(`select ${hold}`);
    await shared.manager.save(aTag());
    await outside.query("select pg_advisory_unlock_all()");
    await shared.destroy();
  });

  describe("with keyFor", () => {
    const perTenant: EventLogOptions = {
      capture: "subscriber",
      lock: { mode: "exclusive", keyFor: (_, context) => Number(context?.tenant ?? 0) },
    };

    it("is the key of each change, in ascending order, whatever the order of the writes", async () => {
      const { waiting, held } = await waitedFor(perTenant, "pg_advisory_lock(900)", (dataSource) =>
        dataSource.transaction(async (manager) => {
          for (const tenant of [1_000, 900, 20, 100]) await withRequestContext({ tenant }, () => manager.save(aTag()));
        }),
      );
      expect(waiting).to.deep.equal([{ key: "900", mode: "ExclusiveLock" }]);
      expect(held.map(({ key }) => key)).to.have.members(["20", "100"]);
    });

    it("lets writers of other tenants go on", async () => {
      await waitedFor(perTenant, "pg_advisory_lock(1)", async (dataSource) => {
        await withRequestContext({ tenant: 2 }, () => dataSource.manager.save(aTag()));
        await withRequestContext({ tenant: 1 }, () => dataSource.manager.save(aTag()));
      });
    });

    it("gets the change, and the log's own key", async () => {
      const asked: unknown[] = [];
      const uuid = "5b0f6c8e-6f9f-4d5e-9d8a-2f9f7a6f1c11";
      const { waiting } = await waitedFor(
        {
          capture: "subscriber",
          lock: {
            key: [3, 4],
            keyFor: (change, context, key) => {
              asked.push([change.entity, change.action, Object.keys(change.recordId), context?.tenant, key]);
              return change.entity === "Tag" ? uuid : key;
            },
          },
        },
        `pg_advisory_lock(${hashed(uuid)})`,
        (dataSource) =>
          withRequestContext({ tenant: uuid }, () =>
            dataSource.manager.save(Object.assign(new Post(), { title: "Keys", tags: [aTag()] })),
          ),
      );
      expect(waiting).to.deep.equal([{ key: hashed(uuid), mode: "ShareLock" }]);
      expect(asked).to.have.deep.members([
        ["Tag", "create", ["name"], uuid, [3, 4]],
        ["Post", "create", ["id"], uuid, [3, 4]],
        ["Post.tags", "create", ["postId", "tagName"], uuid, [3, 4]],
      ]);
    });

    it("fails the commit, with a sentence, when it gives no key", async () => {
      const dataSource = newDataSource(
        application.database.url,
        blog,
        {},
        {
          capture: "subscriber",
          lock: { keyFor: () => undefined as unknown as LockKey },
        },
      );
      await dataSource.initialize();
      const name = unique("no key");
      const error: { code?: string; message?: string } = await dataSource.manager.save(aTag(name)).then(
        () => ({}),
        (thrown: Error) => thrown,
      );
      await dataSource.destroy();
      expect(error.code).to.equal("OPTIONS_INVALID");
      expect(error.message).to.contain("expected lock.keyFor to return a bigint, an integer, a string or a pair");
      expect(await application.value("select count(*) from tag where name = $1", [name])).to.equal("0");
    });
  });

  describe("exclusive under trigger capture", () => {
    const log: EventLogOptions = { lock: { mode: "exclusive", key: 77 } };
    const hold = "pg_advisory_lock_shared(77)";
    const expected = [{ key: "77", mode: "ExclusiveLock" }];

    after(() => application.log.install());

    it("is taken before the first write of a transaction, when no row is locked yet", async () => {
      const { waiting, rowLocks } = await waitedFor(log, hold);
      expect({ waiting, rowLocks }).to.deep.equal({ waiting: expected, rowLocks: "0" });
    });

    it("is taken before an autocommit write, by save's statements, by criteria and by SQL", async () => {
      const { waiting, rowLocks } = await waitedFor(log, hold, ({ manager }) =>
        manager.updateAll(Tag, { color: "blue" }),
      );
      expect({ waiting, rowLocks }).to.deep.equal({ waiting: expected, rowLocks: "0" });
      const raw = await waitedFor(log, hold, (dataSource) =>
        dataSource.query("/* all */ update tag set color = 'red'"),
      );
      expect(raw).to.deep.include({ waiting: expected, rowLocks: "0" });
    });

    it("is not taken for reading", async () => {
      const dataSource = newDataSource(application.database.url, blog, {}, log);
      await dataSource.initialize();
      await outside.query(`select ${hold}`);
      expect(await dataSource.transaction((manager) => manager.find(Tag))).to.not.be.empty;
      await outside.query("select pg_advisory_unlock_all()");
      await dataSource.destroy();
    });

    it("is taken again after a return to a savepoint, which has let it go", async () => {
      const { waiting } = await waitedFor(log, "1", async (dataSource) => {
        await dataSource.transaction(async (manager) => {
          await manager.query("savepoint one");
          await manager.insert(Tag, aTag());
          await manager.query("rollback to one");
          await outside.query(`select ${hold}`);
          await manager.insert(Tag, aTag());
        });
      });
      expect(waiting).to.deep.equal(expected);
    });
  });

  it("is checked with the options", () => {
    const lock = (options: object) => () => withEventLog({ type: "postgres" }, options as EventLogOptions);
    expect(lock({ lock: { mode: "none" } })).to.throw('expected lock.mode to be "shared" or "exclusive", got: "none"');
    expect(lock({ lock: { key: [1] } })).to.throw("expected lock.key to be a bigint, an integer, a string or a pair");
    expect(lock({ lock: { key: 1.5 } })).to.throw("expected lock.key");
    expect(lock({ lock: { key: 2n ** 63n } })).to.throw("expected lock.key");
    expect(lock({ lock: { key: [1, 2 ** 31] } })).to.throw("expected lock.key");
    for (const timeoutMs of [0, -1, 1.5, "1s", 2 ** 31])
      expect(lock({ lock: { timeoutMs } })).to.throw(
        "expected lock.timeoutMs to be a positive integer up to 2147483647",
      );
    expect(lock({ capture: "subscriber", lock: { keyFor: 1 } })).to.throw("expected lock.keyFor to be a function");
    expect(lock({ lock: { keyFor: () => 1 } })).to.throw(
      'expected lock.keyFor to be given only with capture: "subscriber"',
    );
    expect(lock({ capture: "triggers" })).to.throw('expected capture to be "trigger" or "subscriber", got: "triggers"');
    expect(lock({ uncaptured: true })).to.throw('expected uncaptured to be "warn", "error" or "ignore", got: true');
  });
});
