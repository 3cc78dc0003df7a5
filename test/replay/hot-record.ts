import { expect } from "chai";
import pg from "pg";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { override, Tracked } from "../../src/index.js";
import { UpgradedApplication } from "./upgrade.js";

@Entity({ name: "counter" })
@Tracked({ name: "Counter" })
class OldCounter {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") steps!: number;
}

@Entity()
@Tracked({ version: { create: 1, update: 2 } })
class Counter {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") steps!: number;
}

/** What replaying took: statements sent, and rows that came back. */
interface Cost {
  readonly overrides: number;
  readonly statements: number;
  readonly rows: number;
  readonly ms: number;
}

/** One record with many events that an override takes, each of which reads the record: what half of them cost, and what all do. */
export async function costOfHotRecord({ overrides }: { overrides: number }): Promise<readonly [Cost, Cost]> {
  const counts = { statements: 0, rows: 0 };
  class CountingClient extends pg.Client {
    // oxlint-disable-next-line typescript/no-explicit-any -- pg's signature has five forms
    override query(...parameters: any[]): any {
      counts.statements++;
      const result = (super.query as (...given: unknown[]) => unknown)(...parameters);
      if (result instanceof Promise)
        void result.then(
          ({ rowCount }: pg.QueryResult) => (counts.rows += rowCount ?? 0),
          () => 0,
        );
      return result;
    }
  }
  const step = override<OldCounter>("Counter", "update", { versions: [1] }, async ({ recordId }, state) => {
    const counter = await state.find(Counter, Number(recordId["id"]));
    await state.update(Counter, Number(recordId["id"]), { steps: Number(counter?.["steps"]) + 3 });
  });
  const app = new UpgradedApplication(
    { entities: [OldCounter] },
    {
      write: ({ app: old }) =>
        old.sql(
          `insert into counter values (1, 0); do $$ begin for n in 1..${overrides} loop update counter set steps = n; end loop; end $$`,
        ),
      migrate: "",
      now: { entities: [Counter], replay: { overrides: [step] }, dataSource: { extra: { Client: CountingClient } } },
    },
  );
  await app.start();
  try {
    const position = await app.position();
    const cost = async (events: number): Promise<Cost> => {
      Object.assign(counts, { statements: 0, rows: 0 });
      const started = performance.now();
      const { overridden, rows } = await app.log.replay(undefined, { dryRun: true });
      expect(rows.updated, "the record has other steps than its first code said").to.equal(1);
      expect(overridden).to.equal(events);
      return { overrides: events, ...counts, ms: Math.round(performance.now() - started) };
    };
    const all = await cost(overrides);
    // The updates are one transaction, so a point among them would leave it out: the log itself is cut in half.
    await app.sql("set session_replication_role = replica");
    await app.sql("delete from chronicle.event where position > $1", [position - BigInt(overrides / 2)]);
    await app.sql("reset session_replication_role");
    return [await cost(overrides / 2), all];
  } finally {
    await app.stop();
  }
}
