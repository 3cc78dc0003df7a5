import type { Change, ChangeStep } from "./change.js";
import { allKinds, calls, type MigrationHistory, type Step } from "./history.js";
import { drawChange } from "./changes.js";
import { Copies } from "./copies.js";
import { Divergence, nameOf } from "./divergence.js";
import { firstModel } from "./first-tables.js";
import { expectAllHolds, expectNothingMisread } from "./judge.js";
import type pg from "pg";
import { hasOtherKeys, hasOtherLabels, installed, keysOf, liveName, type Model } from "./model.js";
import { keysOfAll, noteLostRows, noteOtherKeys, notingDeaths } from "./lives.js";
import { quoted } from "./quoted.js";
import type { SessionName, World } from "./world.js";
import { type Write, writeSql } from "./writes.js";

type ChangeOf = Extract<Step, { kind: "change" }>;

export const noCounts = () => ({
  changes: 0,
  refusedChanges: 0,
  takenBack: 0,
  writes: 0,
  refusedWrites: 0,
  installs: 0,
  moments: 0,
  cameBack: 0,
  refused: 0,
});

/** Runs a history step by step, and lets the oracle follow. */
export class Run {
  readonly counts = noCounts();
  readonly #copies = new Copies();
  #model: Model;
  /** As the last install left it. */
  #installed: Model;
  /** Whether rows changed in a way that the log learns from the next install. */
  #isAhead = false;
  readonly #files = new Map<number, { files: string; oid: string }>();

  constructor(
    private readonly world: World,
    private readonly history: MigrationHistory,
    private readonly kinds: readonly string[] = allKinds,
  ) {
    this.#model = this.#installed = firstModel(history.first);
  }

  async all(): Promise<void> {
    const { beginning, releases, end } = this.history;
    await this.world.create(this.#model);
    await this.world.release(this.#model);
    await this.#copies.installed(this.world.watcher, this.#model);
    await this.#noteRewritten(this.#model, this.world.watcher);
    await this.#writes("A", beginning);
    await this.#moment();
    for (const steps of releases) {
      for (const step of steps) await this.#step(step);
      await this.world.release(this.#model);
      this.#model = this.#installed = installed(this.#model);
      this.#isAhead = false;
      await this.#copies.installed(this.world.watcher, this.#model);
      this.counts.installs++;
      await this.#judge();
    }
    await this.#writes("B", end);
    await this.#moment();
    await this.#judge();
  }

  async #step(step: Step): Promise<void> {
    if (step.kind === "moment") return this.#moment();
    if (step.kind === "calls") return this.#calls();
    if (step.kind === "change") return this.#change(step);
    const { session, writes, keep } = step;
    if (keep === null) return this.#writes(session, writes);
    await this.world.query(session, "begin");
    await this.#writes(session, writes, { inTransaction: true });
    return this.world.query(session, keep ? "commit" : "rollback");
  }

  async #moment(): Promise<void> {
    if (this.#isAhead) return;
    const bookmark = `moment${this.counts.moments++}`;
    await this.world.log.bookmark(bookmark);
    this.world.lines.push(`bookmark ${bookmark}`);
    const excuses = hasOtherKeys(this.#installed, this.#model) ? (["rekeyed"] as const) : [];
    await this.#copies.take(this.world.watcher, bookmark, this.#model, excuses);
  }

  async #calls(): Promise<void> {
    if (this.#isAhead || !this.kinds.includes(calls)) return;
    this.world.lines.push("verify and replay by the release before");
    await expectNothingMisread(this.world);
  }

  async #change(step: ChangeOf): Promise<void> {
    const { beside } = step;
    if (beside === null) return this.#make(step);
    const end = () => this.world.query("B", beside.keep ? "commit" : "rollback");
    if (beside.how === "before it") {
      await this.world.query("B", "begin");
      await this.#writes("B", beside.writes, { inTransaction: true });
      const made = this.#make(step);
      await this.world.untilBlocked("A", made);
      await end();
      return made;
    }
    await this.world.query("B", "begin isolation level repeatable read");
    await this.world.query("B", "select count(*) from pg_class");
    await this.#make(step);
    await this.#writes("B", beside.writes, { inTransaction: true });
    return end();
  }

  async #make(step: ChangeOf): Promise<void> {
    const { before, after, keep } = step;
    const drawn = drawChange(this.#model, step.change, step.seed, this.kinds);
    if (drawn === null) return;
    const [kind, change] = drawn;
    const inTransaction = step.inTransaction && !change.isAlone;
    const [model, copies] = [this.#model, this.#copies.all];
    if (inTransaction) await this.world.query("A", "begin");
    await this.#writes("A", before, { inTransaction });
    this.world.lines.push(`-- ${kind}`);
    const isMade = await this.#steps(change, step, inTransaction);
    if (isMade && change.excuse !== undefined) this.#copies.excuse(change.excuse);
    await this.#writes("A", after, { inTransaction });
    if (inTransaction && !keep) {
      await this.world.query("A", "rollback");
      [this.#model, this.#copies.all] = [model, copies];
      this.counts.takenBack++;
      return;
    }
    if (inTransaction) await this.world.query("A", "commit");
    if (isMade && change.isLearnedLate) this.#isAhead = true;
  }

  /** Whether any of them was made. */
  async #steps(change: Change, { between }: ChangeOf, inTransaction: boolean): Promise<boolean> {
    const [model, copies] = [this.#model, this.#copies.all];
    const isOne = change.isAtomic === true;
    if (isOne) await this.world.query("A", inTransaction ? "savepoint whole" : "begin");
    let made = 0;
    for (const step of change.steps) {
      if (made > 0 && !isOne) await this.#writes("A", between, { inTransaction });
      if (!(await this.#statement(step, { inTransaction: inTransaction || isOne, isAlone: change.isAlone === true }))) {
        if (isOne) {
          await this.world.query("A", inTransaction ? "rollback to savepoint whole" : "rollback");
          [this.#model, this.#copies.all] = [model, copies];
          return false;
        }
        break;
      }
      made++;
    }
    if (isOne && !inTransaction) await this.world.query("A", "commit");
    return made > 0;
  }

  /** One statement and what it does to the copies, in a transaction of their own if there is none. */
  async #statement(step: ChangeStep, how: { inTransaction: boolean; isAlone: boolean }): Promise<boolean> {
    const { world } = this;
    const client = world.sessions.A;
    if (!how.isAlone) await client.query(how.inTransaction ? "savepoint statement" : "begin");
    const before = await keysOfAll(client, this.#model.tables);
    try {
      await world.query("A", step.sql);
    } catch (error) {
      if (!how.isAlone) await client.query(how.inTransaction ? "rollback to savepoint statement" : "rollback");
      expectOwnRefusal(error, /^(22|23|40|42804|42846|42883|0A000|2BP01|42P16|42P17|55006)/);
      this.counts.refusedChanges++;
      return false;
    }
    await this.#copies.follow(client, step);
    for (const [index, table] of step.after.tables.entries()) {
      const alters = `alter table ${liveName(table)} alter column`;
      const isAltered = keysOf(table).some(({ name }) => step.sql.startsWith(`${alters} ${quoted(name)} type`));
      const isMadeAgain = step.sql.startsWith(`drop table ${liveName(table)} `);
      const isOther = isAltered || hasOtherKeys(this.#model, step.after);
      const losesRows = isMadeAgain || (table.partitions !== null && /^drop table|detach partition/.test(step.sql));
      if (losesRows) await noteLostRows(client, table, before[index] ?? []);
      const isKnown = hasOtherLabels(this.#model, step.after, table);
      const isRekeyed = isOther && (await noteOtherKeys(client, table, before[index] ?? [], { isKnown }));
      if (losesRows || isRekeyed) await this.#copies.unwitnessed(client, table.id);
      if (isRekeyed) this.#copies.excuse("rewritten");
      if (isKnown || isRekeyed) await this.#copies.rekeyed(client, table);
    }
    await this.#noteRewritten(step.after, how.isAlone ? this.world.watcher : client);
    if (!how.isAlone && !how.inTransaction) await client.query("commit");
    this.#model = step.after;
    this.counts.changes++;
    return true;
  }

  /** Whether a statement gave a table other files shows in the catalog. */
  async #noteRewritten({ tables }: Model, client: pg.Client): Promise<void> {
    for (const table of tables) {
      const { rows } = await client.query<{ files: string; oid: string }>(
        `select $1::regclass::oid::text as oid, string_agg(pg_relation_filenode(oid)::text, ' ' order by oid) as files
         from (select $1::regclass as oid union select relid from pg_partition_tree($1::regclass)) r`,
        [liveName(table)],
      );
      const { files = "", oid = "" } = rows[0] ?? {};
      const before = this.#files.get(table.id);
      if (before !== undefined && before.oid !== oid) this.#copies.madeAgain(table.id);
      if (before !== undefined && before.files !== files) this.#copies.rewritten(table.id);
      this.#files.set(table.id, { files, oid });
    }
  }

  async #writes(session: SessionName, writes: readonly Write[], { inTransaction = false } = {}): Promise<void> {
    const client = this.world.sessions[session];
    for (const write of writes) {
      if (inTransaction) await client.query("savepoint write");
      this.counts.writes++;
      try {
        await notingDeaths(client, this.#model.tables, () => this.world.query(session, writeSql(this.#model, write)));
      } catch (error) {
        if (inTransaction) await client.query("rollback to savepoint write");
        expectOwnRefusal(error, /^(22|23|40)/);
        this.counts.refusedWrites++;
      }
    }
  }

  async #judge(): Promise<void> {
    const { cameBack, refused } = await expectAllHolds(this.world, this.#model, this.#copies);
    this.counts.cameBack += cameBack;
    this.counts.refused += refused;
  }
}

/** A statement may be refused for what the history made of the rows; never because a log is there. */
function expectOwnRefusal(error: unknown, states: RegExp): void {
  const {
    code = "",
    message,
    detail = "",
    where = "",
  } = error as Record<"code" | "message" | "detail" | "where", string | undefined>;
  if (states.test(code) && !`${message} ${detail} ${where}`.includes("chronicle")) return;
  throw new Divergence("a statement is refused", `${nameOf(error)} ${detail} ${where}`);
}
