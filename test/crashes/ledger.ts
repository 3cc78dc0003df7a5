import { expect } from "chai";
import pg from "pg";
import type { Told } from "./writer.js";

/** What the writers were told of their transactions, against what the log and the tables say of them. */
export class Ledger {
  readonly #open = new Set<string>();
  readonly #done = new Set<string>();
  readonly #failed = new Set<string>();
  readonly #unknown = new Set<string>();

  note(told: Told): void {
    if ("begun" in told) return void this.#open.add(told.begun);
    const [mark, to] =
      "done" in told
        ? [told.done, this.#done]
        : "failed" in told
          ? [told.failed, this.#failed]
          : [told.unknown, this.#unknown];
    this.#open.delete(mark);
    to.add(mark);
  }

  /** A writer that is gone answers no more: nobody knows what became of what was open. */
  loseWriter(name: string): void {
    for (const mark of this.#open) {
      if (!mark.startsWith(`${name}.`)) continue;
      this.#open.delete(mark);
      this.#unknown.add(mark);
    }
  }

  get done(): number {
    return this.#done.size;
  }

  get counts(): { acknowledged: number; failed: number; unknown: number } {
    return { acknowledged: this.#done.size, failed: this.#failed.size, unknown: this.#unknown.size };
  }

  /**
   * A transaction has all of its events and rows or none; one that was acknowledged has them, one that failed has not.
   * What is open may be either.
   */
  async expectKept(database: pg.Client): Promise<void> {
    const done = [...this.#done];
    const failed = [...this.#failed];
    const { rows } = await database.query<{
      mark: string;
      events: number;
      expected: number;
      entries: number;
      rows: number;
    }>(
      `with e as (
         select metadata ->> 'mark' as mark, count(*)::integer as events, max((metadata ->> 'expected')::integer) as expected,
           count(distinct transaction_id) as transactions, count(*) filter (where entity = 'Entry') as entries, bool_and(actor_id = metadata ->> 'mark') as own
         from chronicle.event where metadata ? 'mark' group by 1),
       r as (select mark, count(*) as rows from entry group by 1)
       select mark, e.events, e.expected, e.entries, r.rows from e full join r using (mark)
       where e.events is distinct from e.expected or e.entries is distinct from r.rows or e.transactions <> 1 or not e.own limit 5`,
    );
    expect(rows, "transactions that are there in part").to.deep.equal([]);
    const found = await database.query<{ lost: string[] | null; invented: string[] | null }>(
      `with there as (select distinct mark from entry)
       select (select array_agg(mark) from unnest($1::text[]) mark where mark not in (select mark from there)) as lost,
         (select array_agg(mark) from there where mark = any ($2::text[])) as invented`,
      [done, failed],
    );
    expect(found.rows, "acknowledged and lost, failed and there").to.deep.equal([{ lost: null, invented: null }]);
    const [sum] = (await database.query<{ sum: number }>("select sum(balance)::integer as sum from account")).rows;
    expect(sum?.sum, "the sum of all balances").to.equal(0);
  }
}
