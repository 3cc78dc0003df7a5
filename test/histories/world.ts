import { expect } from "chai";
import type { DataSource } from "typeorm";
import type { EventLog, RecordedEvent } from "../../src/index.js";
import type { EntityReference } from "../../src/log/tracked-tables.js";
import { differencesOf, type LiveRows } from "../live-rows.js";
import { Application, type Setting } from "../replay/application.js";
import { releaseOne } from "./entities.js";
import { badgesInReleaseTwo, rowTriggers, setUp } from "./set-up.js";

/** A moment of a history: where it is in the log, and the rows that were there. */
interface Moment {
  readonly bookmark: string;
  readonly rows: LiveRows;
  /** The badges as they would be in release 2, where release 1 was running. */
  readonly badges: readonly string[] | undefined;
}

const badgeTable = "public.badge";

/** How the writes of a history are captured: by triggers of either level, or by the subscriber, which refuses what it cannot record. */
export type HistoryCapture = "statement" | "row" | "subscriber";

function settingOf(capture: HistoryCapture): Setting {
  const bySubscriber = { capture: "subscriber", uncaptured: "error" } as const;
  return { entities: releaseOne, ...(capture === "subscriber" ? bySubscriber : {}) };
}

/** Makes the application that worlds are copies of. */
export async function makeTemplate(capture: HistoryCapture = "statement"): Promise<Application> {
  const after = capture === "row" ? setUp + rowTriggers : setUp;
  const template = new Application({ ...settingOf(capture), after });
  await template.start();
  expect(await template.sql(levels), "how tables are captured").to.deep.equal([{ capture }]);
  await template.close();
  return template;
}

const levels = `
  select distinct case when t.oid is null then 'subscriber' when t.tgtype & 1 = 1 then 'row' else 'statement' end as capture
  from chronicle.tracked k
  left join pg_trigger t on t.tgrelid = k.table_oid and t.tgname like ' chronicle%' and t.tgtype & 32 = 0`;

/** One application with its log, that goes from release 1 to release 2 at most once, and the moments noted on the way. */
export class World extends Application {
  release: 1 | 2 = 1;
  readonly #moments: Moment[] = [];

  constructor(
    template: Application,
    readonly capture: HistoryCapture = "statement",
  ) {
    super({ ...settingOf(capture), copyOf: template });
  }

  /** Runs the code of another release from now on, as a deploy does: a new process, which installs first. */
  async deploy(release: 2, setting: Setting): Promise<void> {
    const opened: { dataSource: DataSource; log: EventLog } = await this.open({
      ...settingOf(this.capture),
      ...setting,
    });
    await opened.log.install();
    await this.dataSource.destroy();
    Object.assign(this, opened, { release });
  }

  /** Notes what the tables hold now, under a bookmark. */
  async note(): Promise<void> {
    const badges =
      this.release === 1 ? (await this.sql<{ row: string }>(badgesInReleaseTwo)).map(({ row }) => row) : undefined;
    this.#moments.push({ ...(await this.moment()), badges });
  }

  get moments(): number {
    return this.#moments.length;
  }

  /** Replays to a moment that was noted, and proves that its rows are back. The last is a moment like any other. */
  async rewind(to: number): Promise<void> {
    const moment = this.#moments[to % Math.max(this.#moments.length, 1)];
    if (moment === undefined) return;
    const { drift } = await this.log.replay({ bookmark: moment.bookmark });
    this.expectRows(await this.rows(), this.#asOfToday(moment), `after a replay to ${moment.bookmark}`);
    expect(drift, `rows that were not what the log said before the replay to ${moment.bookmark}`).to.equal(0);
  }

  expectRows(actual: LiveRows, wanted: LiveRows, when: string): void {
    expect(
      differencesOf(actual, wanted).map((line) => line.slice(0, 400)),
      when,
    ).to.deep.equal([]);
  }

  /** Forgets everything that only the log keeps: rows, and where sequences were. */
  async lose(): Promise<void> {
    await this.wipe();
    const sequences = await this.sql<{ name: string }>(
      "select s.oid::regclass::text as name from pg_class s join pg_namespace n on n.oid = s.relnamespace where s.relkind = 'S' and n.nspname = 'public'",
    );
    for (const { name } of sequences) await this.sql(`alter sequence ${name} restart`);
  }

  /** The events of one record, the newest first. */
  async history(entity: EntityReference, id: string | number): Promise<RecordedEvent[]> {
    return (await this.log.history(entity, id)).toReversed();
  }

  #asOfToday({ rows, badges }: Moment): LiveRows {
    return this.release === 2 && badges !== undefined ? new Map([...rows, [badgeTable, badges]]) : rows;
  }
}
