import { EventLogError, type Shadow } from "../../../src/index.js";
import { differencesOf, readLiveRows } from "../../live-rows.js";
import { type Copies, type Copy, rowsOf } from "./copies.js";
import { Divergence, nameOf } from "./divergence.js";
import { listed, quoted } from "./quoted.js";
import type { Model } from "./model.js";
import { wrongRows } from "./row-differences.js";
import { marks } from "./values.js";
import type { World } from "./world.js";

export interface Judgements {
  /** Bookmarks whose rows came back. */
  cameBack: number;
  /** Bookmarks before rewritten values or another table, which were refused with a typed error. */
  refused: number;
}

/** What must hold after each install. */
export async function expectAllHolds(world: World, model: Model, copies: Copies): Promise<Judgements> {
  await expectVerified(world);
  await expectReplayChangesNothing(world);
  const judgements: Judgements = { cameBack: 0, refused: 0 };
  for (const bookmark of copies.bookmarks) {
    judgements[await expectPast(world, model, copies, bookmark)]++;
  }
  await expectNoLeak(world);
  return judgements;
}

/** Between a migration and its install, a process of the release before refuses with a typed error or is right. */
export async function expectNothingMisread({ log, database }: World): Promise<void> {
  const rows = await readLiveRows(database.url);
  for (const call of ["verify", "replay"] as const) {
    try {
      const report = await log[call]();
      if ("equal" in report && !report.equal)
        throw new Divergence("verify before the install is not equal", JSON.stringify(report.differences.slice(0, 5)));
    } catch (error) {
      if (error instanceof Divergence) throw error;
      if (!(error instanceof EventLogError)) throw new Divergence(`${call} before the install fails`, nameOf(error));
    }
  }
  const differences = differencesOf(await readLiveRows(database.url), rows);
  if (differences.length > 0)
    throw new Divergence("replay before the install changes rows", differences.slice(0, 6).join("\n  "));
}

async function expectVerified({ log }: World): Promise<void> {
  const { equal, differences } = await log.verify().catch((error: unknown) => {
    throw new Divergence("verify fails", nameOf(error));
  });
  if (!equal) throw new Divergence("verify is not equal", JSON.stringify(differences.slice(0, 5)));
}

async function expectReplayChangesNothing({ log, database }: World): Promise<void> {
  const rows = await readLiveRows(database.url);
  await log.replay().catch((error: unknown) => {
    throw new Divergence("replay fails", nameOf(error));
  });
  const differences = differencesOf(await readLiveRows(database.url), rows);
  if (differences.length > 0) throw new Divergence("replay changes rows", differences.slice(0, 6).join("\n  "));
}

/** The tables at a bookmark, in today's shape: what the copies hold; or a refusal that the copies excuse. */
async function expectPast(
  { log, watcher }: World,
  model: Model,
  copies: Copies,
  bookmark: string,
): Promise<keyof Judgements> {
  const of = copies.all.filter((copy) => copy.bookmark === bookmark);
  const today = new Set(model.tables.flatMap(({ columns }) => columns.map(({ id }) => id)));
  const lost = of.some((copy) => copy.lost.some((id) => today.has(id)));
  let shadow: Shadow;
  try {
    shadow = await log.shadow({ bookmark });
  } catch (error) {
    if (isExcused(error, of, lost)) return "refused";
    throw new Divergence("the past is refused", `${bookmark}: ${nameOf(error)}`);
  }
  try {
    for (const copy of of) {
      const table = model.tables.find(({ id }) => id === copy.tableId);
      // A row that comes under the key of one that went with its table is that record, for all that the log can know.
      if (table === undefined || copy.excuses.includes("made again")) continue;
      const columns = listed(table.columns.map(({ name }) => name));
      const query = `select ${columns} from ${quoted(shadow.schema)}.${quoted(table.name)}`;
      const is = await rowsOf(watcher, query, table);
      const differences = wrongRows(table, is, await copies.rightTexts(watcher, copy, table));
      if (differences.length > 0)
        throw new Divergence("the past is another", `${bookmark}\n  ${differences.slice(0, 6).join("\n  ")}`);
    }
  } finally {
    await shadow.drop();
  }
  return "cameBack";
}

function isExcused(error: unknown, of: readonly Copy[], lost: boolean): boolean {
  if (!(error instanceof EventLogError)) return false;
  const code: string = error.code;
  const excuses = of.flatMap((copy) => copy.excuses);
  const isCast = code === "VALUE_NOT_CASTABLE" || code === "COLUMN_WITHOUT_PLACE";
  return (
    (isCast && (lost || excuses.length > 0)) ||
    (code === "POINT_IN_TIME_UNKNOWN" && (excuses.includes("made again") || excuses.includes("rekeyed")))
  );
}

/** Excluded values are in no table of the log, sensitive ones in the one for them alone. */
async function expectNoLeak({ watcher }: World): Promise<void> {
  const tables = await watcher.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relnamespace = 'chronicle'::regnamespace and relkind = 'r'",
  );
  for (const { name } of tables.rows) {
    const words = /\bevent_sensitive/.test(name) ? [marks.excluded] : Object.values(marks);
    const found = await watcher.query<{ row: string }>(
      `select left(t::text, 300) as row from ${name} t where t::text ~* $1 limit 1`,
      [words.join("|")],
    );
    const [leak] = found.rows;
    if (leak !== undefined) throw new Divergence("a hidden value is recorded", `${name} ${leak.row}`);
  }
}
