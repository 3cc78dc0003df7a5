import { withRequestContext } from "../../../src/index.js";
import { deployJob } from "../actors.js";
import { runErrands, type Written } from "../errands/errand.js";
import { firstHalf, secondHalf } from "../errands/halves.js";
import { type Fingerprint, fingerprints } from "../proof.js";
import { countByActor, countByWay, countEvents } from "../reading.js";
import { type Stage, timed } from "./stage.js";

/** Two moments that are come back to later, and what plain SQL read in the tables then. */
export interface Noted {
  readonly middle: {
    readonly name: string;
    readonly point: { readonly bookmark: string };
    readonly tables: readonly Fingerprint[];
  };
  readonly end: { readonly point: bigint; readonly tables: readonly Fingerprint[] };
}

/** The deployment of release 2: the migration, then `install()`, which tells the log the new version and columns. */
export async function migrate({ dataSource, log, report }: Stage): Promise<void> {
  const context = { ...deployJob, metadata: { reason: "Release 2" } };
  const migrations = await withRequestContext(context, () => dataSource.runMigrations());
  await log.install();
  const versionOneEvents = await countEvents(log, ({ entity, version }) => entity === "Currency" && version === 1);
  report.tell("migrated", { migrations: migrations.map(({ name }) => name), versionOneEvents });
}

/** Nothing has changed once these are over. */
const leavesNoEvent = new Set(["save, nothing changed", "transaction, rolled back"]);

/** Ways of writing of which TypeORM's hooks show something. */
const shownByHooks = new Set([
  "save, loaded entity",
  "save, partial entity",
  "save, new entity",
  "save, many-to-many",
  "many-to-many, query builder", // the language that goes with one of them is saved
  "transaction",
  "soft-remove",
  "recover",
  "remove, with cascades",
]);

/** Everybody writes; half-way a bookmark is taken, in the end a position noted. */
export async function write(
  { dataSource, log, capture, client, report, expect }: Stage,
  earlier: readonly Written[],
): Promise<Noted> {
  const [[first, middle], firstMs] = await timed(async () => {
    const written = await runErrands(dataSource, firstHalf);
    const { name } = await log.bookmark("the middle");
    return [written, { name: "middle", point: { bookmark: name }, tables: await fingerprints(client) }] as const;
  });
  const [second, secondMs] = await timed(() => runErrands(dataSource, secondHalf));
  const { position } = await log.status();
  const end = { point: position, tables: await fingerprints(client) };
  const ways = await countByWay(log, [...earlier, ...first, ...second]);
  for (const { how, events } of ways) {
    const isEventless = capture === "trigger" ? leavesNoEvent.has(how) : !shownByHooks.has(how);
    expect((events === 0) === isEventless, `There are ${events} events of "${how}".`);
  }
  report.tell("written", {
    ways,
    actors: await countByActor(log),
    durationMs: firstMs + secondMs,
  });
  return { middle, end };
}
