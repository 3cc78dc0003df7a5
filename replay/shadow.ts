import type { DataSource, EntityManager } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { checkOptions, type OptionsOf, section, value } from "../src/core/option-checker.js";
import { abortSignal, aFunction } from "../src/core/option-kinds.js";
import { asOwner } from "../src/core/rights.js";
import { type Session, withOwnSession } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, sql } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { refuseBeforeBaseline } from "../src/log/known-since.js";
import { committedNow, effectivePosition, type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { secure } from "../src/log/secure.js";
import { skippedIn } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { explainingFolds } from "./fold-failure.js";
import { foldTables } from "./fold-table.js";
import { invalidRows } from "./invalid-rows.js";
import type { ReplayReport } from "./replay-report.js";
import { makePlan } from "./plan.js";
import { type Progress, Steps } from "./progress.js";
import { openShadow } from "./shadow-data-source.js";
import { createSchema, dropSchema } from "./shadow-schema.js";
import {
  addForeignKeys,
  allowNulls,
  createTable,
  fillTable,
  indexTable,
  lacksValue,
  type LeftOut,
  makeReadOnly,
  refuseNulls,
  type ShadowTable,
  shadowTables,
} from "./shadow-tables.js";
import { stageOldVersions, stagingSteps } from "./stage.js";
import { refuseUnknownPast } from "./unknown-shapes.js";

export interface ShadowOptions {
  /** The Postgres schema that the tables are made in. (Default: "chronicle_shadow") */
  readonly schema?: string | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops between two statements and leaves nothing. */
  readonly signal?: AbortSignal | undefined;
}

const shadowSchema = value<string>(
  "a schema name of at most 63 bytes, without a dot, that does not begin with pg_",
  (given) => typeof given === "string" && /^(?!pg_)[^\0.]+$/.test(given) && Buffer.byteLength(given) <= 63,
);

const shadowOptions = section({
  schema: shadowSchema.byDefault("chronicle_shadow"),
  onProgress: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<ShadowOptions>);

/** What a replay's report says, and in what the shadow's tables are not like live's. */
export interface ShadowReport extends ReplayReport {
  /**
   * Constraints and indexes that today's tables have and the rows of the past break: the shadow's tables lack them.
   * Empty for a point at which all of today's constraints held. It lists neither foreign keys that lead out of the
   * shadow, which no shadow has, nor the NOT NULLs of excluded columns, which are null in every shadow.
   */
  readonly leftOut: readonly LeftOut[];
}

/** The tables as they were, beside the live ones. */
export interface Shadow {
  readonly schema: string;
  /** Ordinary repositories on it read the shadow; it refuses writes. Entities that are not replayed are not there. */
  readonly manager: EntityManager;
  readonly report: ShadowReport;
  /** Closes the manager's connections and drops the schema. */
  drop(): Promise<void>;
}

/** Tables that are folded at a time, each on a connection of its own. */
const workers = 4;
const forFolds = "set local work_mem = '128MB'; set local maintenance_work_mem = '256MB'; set local jit = off";

/**
 * The tables as the log says they were at a point in time, or are now, in another schema, while the application goes on
 * writing: no lock is taken on its tables. All is read in one snapshot, tables in parallel, indexes and constraints
 * built at the end. A schema that an earlier shadow left is replaced; one that is not ours is refused. After an error
 * or an abort nothing is left. Constraints of today that the past breaks are left out, and `report.leftOut` lists them.
 * A domain's constraint cannot be left out: there the shadow is refused.
 * Throws NOT_OWNER, OTHER_OWNER, OPTIONS_INVALID, POINT_IN_TIME_UNKNOWN, POINT_IN_TIME_AMBIGUOUS,
 * REPLAY_VERSION_UNHANDLED, REPLAY_RECORD_MISSING, REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN, REPLAY_IN_PROGRESS,
 * REPLAY_ABORTED, REPLAY_INVALID_ROWS.
 */
export async function shadow(
  dataSource: DataSource,
  point?: PointInTime,
  options: ShadowOptions = {},
): Promise<Shadow> {
  const { schema, onProgress, signal } = checkOptions("shadow", options, shadowOptions);
  const steps = new Steps(onProgress, signal, "shadow");
  const started = performance.now();
  const work = withOwnSession(dataSource, (keeper) =>
    // The keeper's transaction holds the lock and the snapshot, and does nothing else.
    keeper.transaction(async () => {
      await keeper.run("set local idle_in_transaction_session_timeout = 0");
      await lock(keeper, schema);
      // What its workers read is not dropped meanwhile.
      await keeper.run(`lock table ${attachmentOf(dataSource).schema}.event in access share mode`);
      return withOwnSession(dataSource, async (session) => {
        const tables = shadowTables(await foldTables(session, dataSource), schema);
        try {
          const built = await steps.stoppable(dataSource, session, () =>
            explainingFolds(
              session,
              dataSource,
              () => tables,
              () => build(session, keeper, dataSource, { schema, tables, point, steps }),
            ),
          );
          const nameOf = namesOf(tables);
          const opened = await openShadow(dataSource, schema, nameOf);
          return {
            schema,
            manager: opened.manager,
            report: { ...built, durationMs: Math.round(performance.now() - started) },
            drop: () => drop(dataSource, opened, schema),
          };
        } catch (error) {
          // On another connection: a statement of this one may be cancelled still.
          await withOwnSession(dataSource, (other) => dropSchema(other, schema)).catch(() => undefined); // the next one replaces it
          throw invalidRows(error, { tables: [] });
        }
      });
    }),
  );
  return asOwner(dataSource, work);
}

interface Building {
  readonly schema: string;
  readonly tables: readonly ShadowTable[];
  readonly point: PointInTime | undefined;
  readonly steps: Steps;
}

async function build(
  session: Session,
  keeper: Session,
  dataSource: DataSource,
  { schema, tables, point, steps }: Building,
): Promise<Omit<ShadowReport, "durationMs">> {
  const log = attachmentOf(dataSource).schema;
  const cut: Cut = await (point === undefined
    ? committedNow(session, dataSource)
    : resolvePoint(session, dataSource, point));
  refuseUnknownPast(tables, cut);
  if (point !== undefined) await refuseBeforeBaseline(session, dataSource, cut, tables);

  const staged = `${quoteIdentifier(schema)}."chronicle staged"`;
  const { plan, staging } = await session.transaction(async () => {
    await session.run(forFolds);
    const made = await makePlan(session, dataSource, cut);
    await createSchema(session, schema);
    for (const table of tables) await createTable(session, table);
    steps.plan(tables.length * 2 + 1 + stagingSteps(made));
    const step = () => steps.next("old versions");
    const lasts = "shared";
    const staging = await stageOldVersions(session, dataSource, { plan: made, cut, tables, staged, lasts, step });
    await secure(session, quoteIdentifier(schema));
    return { plan: made, staging };
  });
  // Taken now, so that it sees what was staged; the cut is the same in every snapshot from here on.
  const snapshot = (await keeper.row(sql`select pg_export_snapshot() as id`))?.id ?? "";
  const source: FoldSource = { schema: log, cut, plan, staged };
  const broken: LeftOut[] = [];
  let inserted = 0;
  let skipped = 0;
  const size = (table: ShadowTable) =>
    plan.kinds.reduce((sum, { entity, events }) => (entity === table.entity ? sum + events : sum), 0);
  await inParallel(
    dataSource,
    tables.toSorted((a, b) => size(b) - size(a)),
    (worker, table) =>
      steps.stoppable(dataSource, worker, async () => {
        steps.stopIfAborted();
        const inSnapshot = <T>(work: () => Promise<T>) =>
          worker.snapshot(async () => {
            await worker.run(`set transaction snapshot ${quoteLiteral(snapshot)}; ${forFolds}`);
            return work();
          });
        const fill = () => inSnapshot(() => fillTable(worker, source, table));
        try {
          const filled = await fillWithNulls(worker, table, fill);
          inserted += filled.rows;
          broken.push(...filled.leftOut);
        } catch (error) {
          throw invalidRows(error, { tables: [table], plan });
        }
        if (staging.overridden > 0) {
          const events = await inSnapshot(() => skippedIn(worker, source, table));
          skipped += events;
        }
        steps.next(`fold ${table.entity}`);
        await worker.transaction(async () => {
          await worker.run(forFolds);
          broken.push(...(await indexTable(worker, table)));
        });
        steps.next(`index ${table.entity}`);
      }),
  );
  await session.transaction(async () => {
    await session.run(`${forFolds}; drop table if exists ${staged}`);
    broken.push(...(await addForeignKeys(session, tables)));
    await makeReadOnly(session, log, tables);
  });
  const position = await effectivePosition(session, log, cut);
  steps.next("constraints");
  return {
    effectivePosition: position,
    events: plan.kinds.reduce((sum, { events }) => sum + events, 0),
    upcast: staging.upcast,
    overridden: staging.overridden,
    skipped,
    rows: { inserted, updated: 0, deleted: 0, kept: 0 },
    recorded: 0,
    drift: 0,
    auditOnly: [...new Set(plan.kinds.filter(({ handler }) => handler === "audit only").map(({ entity }) => entity))],
    plan: plan.kinds,
    leftOut: tables.flatMap((table) => broken.filter((left) => left.table === table.tableName)),
  };
}

/**
 * Fills a table. If the past has no value for what is NOT NULL today, a second time, without the NOT NULLs that it
 * breaks.
 */
async function fillWithNulls(
  worker: Session,
  table: ShadowTable,
  fill: () => Promise<number>,
): Promise<{ rows: number; leftOut: LeftOut[] }> {
  try {
    return { rows: await fill(), leftOut: [] };
  } catch (error) {
    if (!lacksValue(error)) throw error;
  }
  const required = await worker.transaction(() => allowNulls(worker, table));
  const rows = await fill();
  return { rows, leftOut: await worker.transaction(() => refuseNulls(worker, table, required)) };
}

/**
 * Works through a list on a few connections; when one fails the others end what they are at, and the first error is
 * thrown.
 */
async function inParallel<T>(
  dataSource: DataSource,
  list: readonly T[],
  work: (session: Session, item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...list];
  const errors: unknown[] = [];
  const run = (session: Session) =>
    (async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(session, item);
    })();
  await Promise.all(
    Array.from({ length: Math.min(workers, list.length) }, async () => {
      try {
        await withOwnSession(dataSource, run);
      } catch (error) {
        waiting.length = 0;
        errors.push(error);
      }
    }),
  );
  if (errors.length > 0) throw errors[0] as Error;
}

async function lock(session: Session, schema: string): Promise<void> {
  const row = await session.row(
    sql`select pg_try_advisory_xact_lock(hashtextextended(current_database() || '.' || ${schema} || '.shadow', 0)) as locked`,
  );
  if (row?.locked !== "t")
    throw new EventLogError("REPLAY_IN_PROGRESS", `Another shadow is being made in the schema ${schema}.`);
}

async function drop(dataSource: DataSource, opened: DataSource, schema: string): Promise<void> {
  if (opened.isInitialized) await opened.destroy();
  await withOwnSession(dataSource, (session) => dropSchema(session, schema));
}

function namesOf(tables: readonly ShadowTable[]): (schema: string, tableName: string) => string {
  const names = new Map(tables.map(({ sqlName, shadowName }) => [sqlName, shadowName]));
  return (schema, tableName) =>
    names.get(`${quoteIdentifier(schema)}.${quoteIdentifier(tableName)}`) ?? `${schema}__${tableName}__is_not_replayed`;
}
