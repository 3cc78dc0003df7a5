import { expect } from "chai";
import type { DataSource, EntityManager } from "typeorm";
import { attachmentOf } from "../../src/core/attachment.js";
import { loggerInto } from "../logger-into.js";
import { byRecord, type Observed, type OfRecord, Oracle } from "../oracle.js";
import { newDataSource, type TrackedApplication } from "../tracked-application.js";
import { subscriberCells } from "./cells.js";
import { groups } from "./paths/index.js";
import type { WritePaths } from "./paths/write-path.js";
import { startWorkshop, watched, workshopEntities } from "./workshop.js";

/** Each write path twice: by a DataSource that warns, and by one that refuses what it cannot record. */
describe("subscriber capture", () => {
  const warnings: string[] = [];
  let application: TrackedApplication;
  let refusing: DataSource;
  let current: DataSource;
  let oracle: Oracle;

  before(async function () {
    this.timeout(60_000);
    application = await startWorkshop("statement", {
      log: { capture: "subscriber" },
      dataSource: { logger: loggerInto(warnings) },
    });
    refusing = newDataSource(
      application.database.url,
      workshopEntities,
      {},
      { capture: "subscriber", uncaptured: "error" },
    );
    await refusing.initialize();
    oracle = await Oracle.watch(application, watched);
  });
  after(async () => {
    await refusing?.destroy();
    await application?.stop();
  });

  /** What a path writes with: the DataSource of the moment, so that one prepares and another writes. */
  const desk = () => ({
    dataSource: switching<DataSource>(() => current),
    manager: switching<EntityManager>(() => current.manager),
    oracle,
  });

  /** Prepares a path so that the log knows all there is, and writes. */
  async function written([, prepare]: WritePaths[string], by: DataSource): Promise<Written> {
    current = application.dataSource;
    const unrecorded = countUncaptured(current);
    const write = await prepare(desk());
    if (countUncaptured(current) > unrecorded) await application.log.baseline();
    current = by;
    const before = countUncaptured(by);
    let error: unknown;
    const observed = await oracle.observe(() => write().catch((thrown: unknown) => (error = thrown)), { net: true });
    return { ...observed, error, reported: countUncaptured(by) - before };
  }

  for (const [group, paths] of Object.entries(groups)) {
    describe(group, () => {
      for (const [name, path] of Object.entries(paths)) {
        const cell = subscriberCells[group]?.[name];

        it(`${name}: ${cell}`, async function () {
          this.timeout(60_000);
          const { seen, recorded, reported, error } = await written(path, application.dataSource);
          if (error !== undefined) throw error as Error;
          if (cell === "recorded") expect(byRecord(recorded)).to.deep.equal(byRecord(seen));
          else expectPart(recorded, seen);
          if (cell === "out of reach") expect(recorded.length).to.be.lessThan(seen.length);
          expect(reported > 0, `reported ${reported} times`).to.equal(cell === "reported");
        });

        it(`${name}: ${cell === "reported" ? "refused" : cell}, where a write that is not captured is an error`, async function () {
          this.timeout(60_000);
          const { seen, recorded, reported, error } = await written(path, refusing);
          const isSwallowed = name === "clear that is refused";
          const code = (error as { code?: string } | undefined)?.code;
          expect(code).to.equal(cell === "reported" && !isSwallowed ? "WRITE_NOT_CAPTURED" : undefined);
          expect(reported > 0, `reported ${reported} times`).to.equal(cell === "reported");
          // What was written before the refusal was committed and recorded; a truncate was noted beforehand and did not happen.
          const happened = seen.filter(({ change }) => error === undefined || change.transactionId !== null);
          if (cell === "out of reach") expectPart(recorded, happened);
          else expect(byRecord(recorded)).to.deep.equal(byRecord(happened));
        });
      }
    });
  }

  describe("after all of that", () => {
    it("has a cell for every path, and at least 33 recorded", () => {
      const names = (of: Readonly<Record<string, object>>) =>
        Object.entries(of).flatMap(([group, paths]) => Object.keys(paths).map((name) => `${group}: ${name}`));
      expect(names(subscriberCells)).to.have.members(names(groups));
      const cells = Object.values(subscriberCells).flatMap((paths) => Object.values(paths));
      expect(cells.filter((cell) => cell === "recorded").length).to.be.at.least(33);
    });

    it("warns once for each shape of statement, and tells values to nobody", () => {
      const { uncaptured } = attachmentOf(application.dataSource).link;
      const shapes = uncaptured.list().map(({ shape }) => shape);
      expect(shapes).to.not.be.empty;
      expect(new Set(shapes).size).to.equal(shapes.length);
      expect(warnings.length).to.equal(shapes.length);
      for (const shape of shapes)
        expect(warnings.filter((warning) => warning.endsWith(`: ${shape}`)).length).to.equal(1);
    });

    it("shows the counts in status()", async () => {
      const { uncaptured } = await application.log.status();
      const tags = uncaptured.filter(({ tables }) => tables.includes("Tag"));
      expect(tags.reduce((sum, { count }) => sum + count, 0)).to.be.greaterThan(10);
      expect(tags.map(({ shape }) => shape)).to.include("insert into tag (name) values (?)");
    });

    it("leaves no trigger on any table", async () => {
      expect(await application.value("select count(*) from pg_trigger where tgname like ' chronicle %'")).to.equal("0");
      expect(await application.query("select distinct capture from chronicle.tracked")).to.deep.equal([
        { capture: "subscriber" },
      ]);
    });
  });
});

interface Written extends Observed {
  readonly error: unknown;
  readonly reported: number;
}

/** Every event tells what was seen of its record in its transaction: the new values, at the least. */
function expectPart(recorded: readonly OfRecord[], seen: readonly OfRecord[]): void {
  for (const { record, change } of recorded) {
    const happened = seen.filter((one) => one.record === record && one.change.transactionId === change.transactionId);
    expect(happened.length, record).to.equal(1);
    expect(change.data).to.include(happened[0]?.change.data);
  }
}

function countUncaptured(dataSource: DataSource): number {
  const { uncaptured } = attachmentOf(dataSource).link;
  return uncaptured.list().reduce((sum, { count }) => sum + count, 0);
}

function switching<T extends object>(current: () => T): T {
  return new Proxy({} as T, {
    get: (_, property) => {
      const value: unknown = Reflect.get(current(), property);
      return typeof value === "function" ? (value.bind(current()) as unknown) : value;
    },
  });
}
