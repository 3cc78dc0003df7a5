import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { checkOptions } from "../src/core/option-checker.js";
import { asOwner } from "../src/core/rights.js";
import { type Session, withOwnSession } from "../src/core/session.js";
import { sql } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { endOfLog, type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { refuseHiddenRows } from "../src/log/hidden-rows.js";
import { refuseBeforeBaseline } from "../src/log/known-since.js";
import { refuseTablesOfOthers, requireOwnership } from "../src/log/ownership.js";
import { apply } from "./apply.js";
import { type Apply, brokenConstraints } from "./broken-constraints.js";
import { clearBy, deleteAll } from "./clear.js";
import { sameKey, type Target } from "./difference.js";
import { explainingFolds } from "./fold-failure.js";
import { type FoldTable, foldTables } from "./fold-table.js";
import { foresee, refuseMissingValues, replayError } from "./foresee.js";
import type { CheckedHandlers } from "./handlers.js";
import type { Broken } from "./invalid-rows.js";
import { lockTables, withReplayLock } from "./locks.js";
import { makePlan, type Plan } from "./plan.js";
import { sparingOtherTenants } from "./other-tenants.js";
import { Steps } from "./progress.js";
import { type CheckedReplayOptions, type ReplayOptions, replayOptions } from "./replay-options.js";
import { compare, refuseUnknownRows, reportOf, type ReplayReport, type TableDifference } from "./replay-report.js";
import { recordDifference } from "./rewind.js";
import { Scope } from "./scope.js";
import { raiseSequences } from "./sequences.js";
import { stagingSteps } from "./stage.js";
import { catchUp, firstUnseen, type Folded, foldToTables } from "./temporary-folds.js";
import { refuseUnknownPast } from "./unknown-shapes.js";
import { classValidator, RowValidation, type Validate } from "./validate.js";

/**
 * Makes the tables what the log says, to its end or at a point in time: one transaction or nothing. No subscriber,
 * listener or trigger runs. A replay to the past is recorded as ordinary events, so the log's end is then that state.
 * Throws OPTIONS_INVALID, NOT_OWNER, OTHER_OWNER, ROWS_HIDDEN, POINT_IN_TIME_UNKNOWN, POINT_IN_TIME_AMBIGUOUS,
 * REPLAY_VERSION_UNHANDLED, REPLAY_UNKNOWN_ROWS, REPLAY_RECORD_MISSING, REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN,
 * REPLAY_IN_PROGRESS, REPLAY_LOCK_TIMEOUT, REPLAY_ABORTED, REPLAY_BLOCKED_BY_REFERENCES, REPLAY_INVALID_ROWS,
 * REPLAY_CROSSES_ENTITIES, REPLAY_CROSSES_TENANT.
 */
export async function replay(
  dataSource: DataSource,
  point?: PointInTime,
  given: ReplayOptions = {},
): Promise<ReplayReport> {
  const options = checkOptions("replay", given, replayOptions);
  const validate = options.validate ? await classValidator() : undefined;
  const started = performance.now();
  const steps = new Steps(options.onProgress, options.signal);
  const run = (gate?: Session) =>
    withOwnSession(dataSource, (session) =>
      steps.stoppable(dataSource, session, async () => {
        const scope = new Scope(dataSource, await foldTables(session, dataSource, { allowOthers: true }), options);
        await refuseTablesOfOthers(session, attachmentOf(dataSource).schema, scope.tables);
        await refuseHiddenRows(session, scope.tables);
        await requireOwnership(session, scope.tables);
        const asked = point === undefined ? undefined : await resolvePoint(session, dataSource, point);
        if (asked !== undefined) {
          refuseUnknownPast(scope.tables, asked);
          await refuseBeforeBaseline(session, dataSource, asked, scope.tables);
        }
        const live = new LiveReplay(session, dataSource, { scope, asked, options, validate, steps, started });
        return explainingFolds(
          session,
          dataSource,
          () => scope.every,
          () => live.run(gate),
        );
      }),
    );
  return asOwner(dataSource, options.dryRun ? run() : withReplayLock(dataSource, run));
}

interface Setting {
  readonly scope: Scope;
  readonly asked: Cut | undefined;
  readonly options: CheckedReplayOptions;
  /** class-validator's, where rows are to be validated. */
  readonly validate: Validate | undefined;
  readonly steps: Steps;
  readonly started: number;
}

/** What was folded before any lock was taken. */
interface Ahead {
  readonly snapshot: string;
  readonly plan: Plan;
  readonly end: Folded;
  /** The point asked for: nothing can be added to it any more. */
  readonly point: Folded | undefined;
}

const forFolds = "set local work_mem = '128MB'; set local jit = off";

class LiveReplay {
  readonly #schema: string;
  readonly #validation: RowValidation | undefined;

  constructor(
    private readonly session: Session,
    private readonly dataSource: DataSource,
    private readonly setting: Setting,
  ) {
    this.#schema = attachmentOf(dataSource).schema;
    this.#validation = setting.validate && new RowValidation(session, dataSource, setting.validate);
  }

  /** Folds ahead, then locks and makes live equal; without a gate, only finds out what that would do. */
  async run(gate: Session | undefined): Promise<ReplayReport> {
    const folded: { ahead?: Ahead } = {};
    try {
      return await this.#run(gate, folded);
    } catch (error) {
      const { ahead } = folded;
      const rebuilt = { tables: this.setting.scope.tables, plan: ahead?.plan };
      throw await replayError(error, rebuilt, ahead && (() => this.#broken(ahead)));
    }
  }

  async #run(gate: Session | undefined, folded: { ahead?: Ahead }): Promise<ReplayReport> {
    if (gate === undefined)
      return this.session.snapshot(async () => this.#withoutTraces(await this.#makeEqual(await this.#foldAhead())));
    if (await this.session.isPooled()) {
      // Nothing lasts from one transaction to the next: the fold is made under the locks.
      return this.session.transaction(async () => {
        await this.#lock(gate);
        return this.#withoutTraces(await this.#makeEqual(await this.#foldAhead()));
      });
    }
    const ahead = await this.session.snapshot(() => this.#foldAhead());
    folded.ahead = ahead;
    return this.session.transaction(async () => {
      await this.#lock(gate);
      const report = await this.#makeEqual(ahead);
      this.setting.steps.stopIfAborted();
      return report;
    });
  }

  async #lock(gate: Session): Promise<void> {
    const { scope, options, steps } = this.setting;
    await lockTables(this.session, this.dataSource, {
      gate,
      tables: scope.tables,
      timeoutMs: options.lockTimeoutMs,
      stopIfAborted: () => steps.stopIfAborted(),
    });
    steps.next("lock the tables");
  }

  /** The connection may be a pooler's: temporary tables would be in the way of whoever gets it next. */
  async #withoutTraces(report: ReplayReport): Promise<ReplayReport> {
    this.setting.steps.stopIfAborted();
    await this.session.run("discard temp");
    return report;
  }

  /** Most of the work, before the locks: checks that every event has a way, folds, and validates. */
  async #foldAhead(): Promise<Ahead> {
    const { asked, options, steps, scope } = this.setting;
    await this.session.run(forFolds);
    const row = await this.session.row(sql`select pg_current_snapshot() as snapshot`);
    const cut = await endOfLog(this.session, this.dataSource);
    const plan = await makePlan(this.session, this.dataSource, cut);
    const tables = scope.tables.length;
    const folds = asked === undefined ? 1 : 2;
    steps.plan(
      folds * tables + folds * stagingSteps(plan) + (options.validate ? tables : 0) + (options.dryRun ? 1 : 2),
    );
    const point = asked && (await this.#fold("point", asked, plan));
    if (point !== undefined && !options.dryRun) await this.#refuseMissingValues(point, plan);
    const end = await this.#fold("end", cut, plan);
    await this.#validate(point ?? end);
    return { snapshot: row?.snapshot ?? "", plan, end, point };
  }

  /** The rest: the log's end as it is now, and live made equal. */
  async #makeEqual(ahead: Ahead): Promise<ReplayReport> {
    const { scope, asked, options, steps } = this.setting;
    await this.session.run(forFolds);
    const end = await endOfLog(this.session, this.dataSource);
    const first = await firstUnseen(this.session, this.dataSource, ahead.snapshot);
    const plan = first === undefined ? ahead.plan : await makePlan(this.session, this.dataSource, end);
    const now = first === undefined ? ahead.end : await this.#upToNow(ahead, first, end, plan);
    const then = ahead.point ?? now;
    const found = await compare(this.session, scope, now);
    if (options.unknownRows === "refuse") refuseUnknownRows(found);
    const isEnd = ahead.point === undefined;
    const planned = isEnd || !options.dryRun ? found : await compare(this.session, scope, then);
    const targets = this.#targets(now, then, isEnd && options.apply !== "rebuild" ? found : []);
    const clears = options.apply === "rebuild" && this.#ownClear() !== undefined;
    const schema = this.#schema;
    if (options.dryRun) await foresee(this.session, targets, { schema, apply: this.#apply, clears, planned, plan });
    const rows = options.dryRun
      ? undefined
      : await sparingOtherTenants(this.session, scope, () => apply(this.session, targets, () => this.#clear(targets)));
    const recorded = asked === undefined ? 0 : await this.#record(asked, now, then);
    if (!options.dryRun) await raiseSequences(this.session, scope.tables);
    steps.next(options.dryRun ? "compare" : "make live equal");
    return reportOf(this.session, this.dataSource, {
      scope,
      cut: asked ?? end,
      plan,
      fold: then,
      rows,
      found,
      planned,
      recorded,
      keepsUnknown: options.unknownRows === "keep",
      rebuilds: options.apply === "rebuild",
      started: this.setting.started,
    });
  }

  #targets(now: Folded, then: Folded, found: readonly TableDifference[]): Target[] {
    const { scope, options } = this.setting;
    return scope.tables.map((table, index) => ({
      table,
      wanted: then.of(table),
      mayDelete: [scope.covers(table), ...(options.unknownRows === "keep" ? [isKnown(table, now)] : [])].join(" and "),
      known: found[index],
    }));
  }

  async #upToNow(ahead: Ahead, first: bigint, cut: Cut, plan: Plan): Promise<Folded> {
    const { scope, steps } = this.setting;
    const isEnd = ahead.point === undefined;
    const folding = { cut, plan, tables: scope.tables, scope, steps };
    const validated = async (table: FoldTable, keys: readonly string[]) => {
      if (isEnd) await this.#validation?.check(table, ahead.end.of(table), keys);
    };
    const unseen = { snapshot: ahead.snapshot, first };
    const caughtUp = await catchUp(this.session, this.dataSource, ahead.end, unseen, folding, validated);
    if (caughtUp === undefined) {
      const anew = await this.#fold("now", cut, plan);
      if (isEnd) await this.#validate(anew);
      return anew;
    }
    this.#validation?.refuse();
    return caughtUp;
  }

  #fold(label: string, cut: Cut, plan: Plan): Promise<Folded> {
    const { scope, steps } = this.setting;
    return foldToTables(this.session, this.dataSource, { label, cut, plan, tables: scope.tables, scope, steps });
  }

  async #validate(fold: Folded): Promise<void> {
    if (this.#validation === undefined) return;
    for (const table of this.setting.scope.tables) {
      await this.#validation.check(table, fold.of(table));
      this.setting.steps.next(`validate ${table.entity}`);
    }
    this.#validation.refuse();
  }

  async #clear(targets: readonly Target[]): Promise<number> {
    if (this.setting.options.apply !== "rebuild") return 0;
    const clear = this.#ownClear();
    if (clear !== undefined) return clearBy(this.session, this.dataSource, targets, clear);
    return deleteAll(this.session, this.#schema, targets);
  }

  #ownClear(): CheckedHandlers["clear"] {
    return this.setting.scope.isWhole ? (attachmentOf(this.dataSource).replay as CheckedHandlers).clear : undefined;
  }

  /**
   * Before the tables are locked: the past does not change. What else it may break, the statement that makes live equal
   * finds.
   */
  async #refuseMissingValues(point: Folded, plan: Plan): Promise<void> {
    const wanted = this.setting.scope.tables.map((table) => ({ table, wanted: point.of(table) }));
    await refuseMissingValues(this.session, wanted, { apply: this.#apply, plan });
  }

  /** What rows of a replay that was rolled back break: in what was folded before it. */
  #broken({ point, end }: Ahead): Promise<Broken[]> {
    return this.session.snapshot(async () => {
      await this.session.run(forFolds);
      return brokenConstraints(this.session, this.#targets(end, point ?? end, []), this.#apply);
    });
  }

  get #apply(): Apply {
    return this.setting.options.apply;
  }

  /** What a replay to the past leads away from, as ordinary events; how many. A dry run only counts them. */
  async #record(asked: Cut, now: Folded, then: Folded): Promise<number> {
    const { scope, options } = this.setting;
    let recorded = 0;
    for (const table of scope.tables) {
      recorded += await recordDifference(this.session, {
        schema: this.#schema,
        table,
        before: now.of(table),
        after: then.of(table),
        origin: "rewind",
        metadata: { rewind: { position: String(asked.position), leftOut: asked.leftOut, before: asked.before } },
        dryRun: options.dryRun,
      });
    }
    return recorded;
  }
}

function isKnown(table: FoldTable, fold: Folded): string {
  return `exists (select from ${fold.of(table)} k where ${sameKey(table, "l", "k")})`;
}
