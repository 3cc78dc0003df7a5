import { numberOf, positionOf, type Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import { type Cursor, cursorText } from "./cursor.js";
import { eventOf, eventPage, type RecordedEvent } from "./event.js";
import { PageLength } from "./page.js";
import { cutOff, grown, hasEnded, nothing, type Snapshot, snapshotOf, snapshotText } from "./snapshot.js";

/** An event as a tail gives it. */
export interface TailedEvent<Columns = Record<string, unknown>> extends RecordedEvent<Columns> {
  /**
   * For `tail({ after })`: what was given up to this event, and this event. At most 40 characters, and 20 for each
   * transaction that is open.
   */
  readonly cursor: string;
}

/** How many positions one query brings. */
const page = 1_000;
/** Transactions that ended late are looked for together if their ids are no further apart. */
const nearby = 1_024n;

/** Transaction ids in which there is something to look for: from one, after a position of it, to before another. */
interface Span {
  from: bigint;
  position: bigint;
  to: bigint;
}

/** Where a tail begins: what is given whole, and of which transaction a part is. */
export type Start = Omit<Cursor, "transaction" | "position"> & Partial<Cursor>;

/**
 * Reads the log in batches. Each is what one snapshot sees and the one before does not, by transaction, in windows of
 * transaction ids that are made wider and narrower to hold about a page. Nothing waits for a transaction that is open:
 * it is left open in the snapshot, and what it wrote belongs to the first batch that sees it.
 */
export class TailReader {
  #epoch: number;
  /** What is given, batches and all; and what will be, when this batch is. */
  #given: Snapshot;
  #seen: Snapshot;
  /** Of the transactions from here on, no event was given. */
  #end: bigint;
  /** What is left of the batch. */
  #spans: Span[] = [];
  #width = 1_024n;
  /** All of the last page was of one transaction: the rest of it is read by position, up to its last. */
  #endOfTransaction: bigint | undefined;
  /** Found and not read yet: a window may hold more than a page. */
  #found: bigint[] = [];
  readonly #pages = new PageLength();
  /** The last transaction of a closed epoch, found once. */
  #closed: { epoch: number; seen: Snapshot } | undefined;

  constructor(
    private readonly session: Session,
    private readonly schema: string,
    { epoch, given, transaction, position }: Start,
  ) {
    this.#epoch = epoch;
    this.#given = given;
    this.#seen = given;
    if (transaction !== undefined && position !== undefined) {
      // The rest of one transaction is a batch.
      const to = transaction + 1n;
      this.#seen = { end: to > given.end ? to : given.end, open: given.open.filter((id) => id !== transaction) };
      this.#spans = [{ from: transaction, position, to }];
    }
    this.#end = this.#seen.end;
  }

  async hasMore(): Promise<boolean> {
    if (this.#found.length === 0) this.#found = await this.#findOn();
    return this.#found.length > 0;
  }

  /** The next events, a page of them, or none where there are none yet. */
  async next(): Promise<TailedEvent[]> {
    while (await this.hasMore()) {
      const asked = this.#found.slice(0, this.#pages.next());
      const rows = await this.session.rows(
        eventPage(this.schema, sql`select p.position from unnest(${asked}::bigint[]) as p (position)`),
      );
      const found = numberOf(rows[0], "found");
      this.#pages.learn(asked.length, found, rows.length);
      // Fewer than asked for: some are gone since with their partition.
      const last = rows.length < found ? BigInt(rows.at(-1)?.position ?? 0) : asked.at(-1);
      this.#found = this.#found.slice(asked.findIndex((position) => position === last) + 1);
      if (rows.length > 0) return rows.map((row) => this.#withCursor(eventOf(row)));
    }
    return [];
  }

  /**
   * A cursor knows of no transaction past the last one that it gives: that one is on disk with all before it, whereas
   * the ids of later ones that wrote nothing are drawn again after a crash.
   */
  #withCursor(event: RecordedEvent): TailedEvent {
    const { transactionId: transaction, position } = event;
    if (transaction >= this.#end) this.#end = transaction + 1n;
    const given = cutOff(grown(this.#given, this.#seen, transaction), this.#end);
    return { ...event, cursor: cursorText({ epoch: this.#epoch, given, transaction, position }) };
  }

  async #findOn(): Promise<bigint[]> {
    for (let found = await this.#findInBatch(); ; found = await this.#findInBatch()) {
      if (found.length === 0) {
        await this.#beginBatch();
        found = await this.#findInBatch();
      }
      if (found.length > 0) return found;
      if (!(await this.#beginEpoch())) return [];
    }
  }

  async #beginBatch(): Promise<void> {
    this.#given = this.#seen;
    this.#seen = await this.#seenNow();
    this.#spans = spansOf(this.#given, this.#seen);
  }

  /** All transactions of a closed epoch have ended, and when they are given the next epoch begins. */
  async #beginEpoch(): Promise<boolean> {
    const row = await this.session.row(
      sql`select epoch from ${raw(this.schema)}.installation where epoch > ${this.#epoch}`,
    );
    if (row === undefined) return false;
    this.#epoch++;
    this.#given = nothing;
    this.#seen = nothing;
    this.#end = nothing.end;
    return true;
  }

  async #seenNow(): Promise<Snapshot> {
    if (this.#closed?.epoch === this.#epoch) return this.#closed.seen;
    const s = raw(this.schema);
    const row = await this.session.row(sql`select epoch, pg_current_snapshot() as snapshot from ${s}.installation`);
    if (numberOf(row, "epoch") === this.#epoch) return snapshotOf(row?.snapshot ?? "");
    const last = await this.session.row(
      sql`select max(transaction_id::text::bigint) as id from ${s}.event where epoch = ${this.#epoch}`,
    );
    this.#closed = { epoch: this.#epoch, seen: { end: BigInt(last?.id ?? 0) + 1n, open: [] } };
    return this.#closed.seen;
  }

  async #findInBatch(): Promise<bigint[]> {
    for (let span = this.#spans[0]; span !== undefined; span = this.#spans[0]) {
      const to = span.from + this.#width < span.to ? span.from + this.#width : span.to;
      const end = this.#endOfTransaction;
      const found = end === undefined ? await this.#window(span, to) : await this.#restOfTransaction(span, end);
      const last = found.at(-1);
      if (last !== undefined && found.length === page) {
        const isOfOne = found[0]?.id === last.id;
        Object.assign(span, { from: last.id, position: last.position });
        this.#endOfTransaction = isOfOne ? (end ?? (await this.#findEnd(span))) : undefined;
        if (end === undefined && this.#width > 1n) this.#width /= 2n;
      } else {
        Object.assign(span, { from: end === undefined ? to : span.from + 1n, position: 0n });
        this.#endOfTransaction = undefined;
        if (end === undefined && found.length < page / 4 && to < span.to) this.#width *= 2n;
        if (span.from >= span.to) this.#spans.shift();
      }
      if (found.length > 0) return found.map(({ position }) => position);
    }
    return [];
  }

  async #window(span: Span, to: bigint): Promise<{ id: bigint; position: bigint }[]> {
    const rows = await this.session.rows(sql`select place as position, id from ${this.#positions(span, to, page)}`);
    return rows.map((row) => ({ id: BigInt(row.id ?? 0), position: BigInt(row.position ?? 0) }));
  }

  async #findEnd(span: Span): Promise<bigint> {
    const row = await this.session.row(
      sql`select coalesce(max(place), 0) as position from ${this.#positions(span, span.from + 1n, null)}`,
    );
    return positionOf(row, "position");
  }

  #positions({ from, position }: Span, to: bigint, most: number | null): Statement {
    const [given, seen] = [snapshotText(this.#given), snapshotText(this.#seen)];
    return sql`${raw(this.schema)}.tail_positions(
      ${this.#epoch}::smallint, ${from}, ${to}, ${position}, ${given}::pg_snapshot, ${seen}::pg_snapshot, ${most})`;
  }

  async #restOfTransaction({ from: id, position }: Span, last: bigint): Promise<{ id: bigint; position: bigint }[]> {
    const rows = await this.session.rows(sql`
      select position from ${raw(this.schema)}.event
      where position > ${position} and position <= ${last}
      and transaction_id = ${String(id)}::xid8 and epoch = ${this.#epoch}
      order by position limit ${page}`);
    return rows.map((row) => ({ id, position: BigInt(row.position ?? 0) }));
  }
}

/** Where to look for what a snapshot sees and an earlier one does not. */
function spansOf(given: Snapshot, seen: Snapshot): Span[] {
  const late = given.open.filter((id) => hasEnded(id, seen)).map((id) => ({ from: id, to: id + 1n }));
  const spans: Span[] = [];
  for (const { from, to } of [...late, { from: given.end, to: seen.end }]) {
    const last = spans.at(-1);
    if (from >= to) continue;
    if (last !== undefined && from - last.to < nearby) last.to = to;
    else spans.push({ from, position: 0n, to });
  }
  return spans;
}
