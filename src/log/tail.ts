import { randomUUID } from "node:crypto";
import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { checkOptions, type OptionsOf, section, value } from "../core/option-checker.js";
import { abortSignal } from "../core/option-kinds.js";
import { readingError } from "../core/rights.js";
import { connect, numberOf, Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { eventOf, eventPage, type RecordedEvent } from "./event.js";
import { wasDropped } from "./known-since.js";
import { PageLength } from "./page.js";
import { keptFrom } from "./partitions.js";

export interface TailOptions {
  /**
   * Where to go on: the position of the last event that a tail gave, 0n for the log's beginning, or a bookmark, after
   * which comes whatever was not committed then. (Default: now)
   */
  readonly after?: bigint | { readonly bookmark: string } | undefined;
  /** Ends the tail, without an error. */
  readonly signal?: AbortSignal | undefined;
}

const start = value<bigint | { readonly bookmark: string }>("a position as a bigint, or { bookmark }", (given) =>
  typeof given === "bigint" ? given >= 0n : typeof (given as { bookmark?: unknown } | null)?.bookmark === "string",
);

const tailOptions = section({ after: start, signal: abortSignal } satisfies OptionsOf<TailOptions>);

/** How many positions one query brings. */
const page = 1_000;
/** The longest that a tail sleeps without being woken, and the shortest when it was woken for nothing. */
const sleepMs = 1_000;
const pauseMs = 25;

/**
 * Events as they are committed, each once, those of a transaction together and in order. A transaction's events come
 * when it and every transaction that began before it have ended, so none is ever overtaken: one that stays open holds
 * the tail back. Ordered by transaction; for the order of changes to one record `position` counts, and it agrees
 * wherever one change saw another.
 * Throws POINT_IN_TIME_UNKNOWN, OPTIONS_INVALID, NOT_READER.
 */
export async function* tail(dataSource: DataSource, options: TailOptions = {}): AsyncGenerator<RecordedEvent> {
  const { after, signal } = checkOptions("tail", options, tailOptions);
  const { schema } = attachmentOf(dataSource);
  const sleeper = new Sleeper(signal);
  const client = await connect(dataSource, {}, () => sleeper.wake());
  const session = new Session(client);
  const id = randomUUID();
  try {
    await session.run(`listen ${schema}`);
    const reader = new Reader(session, schema, await startOf(session, schema, after));
    for (let woken = false; ;) {
      let given = 0;
      for (let events = await reader.next(); events.length > 0; events = await reader.next()) {
        for (const event of events) {
          if (signal?.aborted) return;
          yield event;
          given++;
        }
      }
      // Woken for nothing: a transaction that began earlier is open still.
      if (given === 0 && woken) await sleeper.pause(pauseMs);
      if (signal?.aborted) return;
      // Said before the last look, so that whoever commits after that look knows that there is a tail to wake.
      sleeper.reset();
      await session.rows(sql`select ${raw(schema)}.fall_asleep(${id}, ${(sleepMs * 2) / 1_000})`);
      woken = (await reader.hasMore()) || (await sleeper.sleep(sleepMs));
      await session.rows(sql`select ${raw(schema)}.wake_up(${id})`);
    }
  } catch (error) {
    throw readingError(dataSource, error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Where a tail is: what comes next is in an epoch, of a transaction or a later one, after a position of it. */
interface Place {
  epoch: number;
  id: bigint;
  position: bigint;
  /** The snapshot whose transactions are known already. */
  known: string | null;
}

async function startOf(session: Session, schema: string, after: TailOptions["after"]): Promise<Place> {
  if (after === 0n) return { epoch: 0, id: 0n, position: 0n, known: null };
  if (typeof after === "bigint") {
    const row = await session.row(
      sql`select epoch, transaction_id as id from ${raw(schema)}.event where position = ${after}`,
    );
    if (row !== undefined)
      return { epoch: numberOf(row, "epoch"), id: BigInt(row.id ?? 0), position: after, known: null };
    throw new EventLogError("POINT_IN_TIME_UNKNOWN", `There is no event at position ${after}.`, {
      hint: "Pass the position of the last event that a tail gave, 0n for the log's beginning, or a bookmark.",
    });
  }
  const row = await session.row(
    after === undefined
      ? sql`select epoch, pg_current_snapshot() as snapshot from ${raw(schema)}.installation`
      : sql`select epoch, snapshot, position from ${raw(schema)}.bookmark where name = ${after.bookmark}`,
  );
  if (row === undefined) throw new EventLogError("POINT_IN_TIME_UNKNOWN", `There is no bookmark "${after?.bookmark}".`);
  const kept = await keptFrom(session, schema);
  if (kept !== undefined && row.position != null && BigInt(row.position) < kept - 1n) throw wasDropped(kept);
  const [xmin = "0"] = (row.snapshot ?? "").split(":");
  return { epoch: numberOf(row, "epoch"), id: BigInt(xmin), position: 0n, known: row.snapshot ?? null };
}

/**
 * Reads the log by transaction, in windows of transaction ids that it makes wider and narrower to hold about a page.
 */
class Reader {
  #width = 1_024n;
  /** All of the last page was of one transaction: the rest of it is read by position. */
  #within = false;
  /** Found and not read yet: a window may hold more than a page. */
  #found: bigint[] = [];
  readonly #pages = new PageLength();
  /** Where a closed epoch ends, found once. */
  #closed: { epoch: number; end: bigint } | undefined;

  constructor(
    private readonly session: Session,
    private readonly schema: string,
    private readonly place: Place,
  ) {}

  async hasMore(): Promise<boolean> {
    if (this.#found.length === 0) this.#found = await this.#findOn();
    return this.#found.length > 0;
  }

  /** The next events, a page of them, or none where there are none yet. */
  async next(): Promise<RecordedEvent[]> {
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
      if (rows.length > 0) return rows.map((row) => eventOf(row));
    }
    return [];
  }

  async #findOn(): Promise<bigint[]> {
    for (;;) {
      const { place } = this;
      const end = await this.#end();
      if (place.id >= end) {
        if (!(await this.#nextEpoch())) return [];
        continue;
      }
      const to = this.#within ? place.id + 1n : place.id + this.#width < end ? place.id + this.#width : end;
      const found = this.#within ? await this.#restOfTransaction() : await this.#window(to);
      const last = found.at(-1);
      if (last !== undefined && found.length === page) {
        this.#within = found[0]?.id === last.id;
        this.#width = this.#width > 1n ? this.#width / 2n : 1n;
        Object.assign(place, last);
      } else {
        if (found.length < page / 4) this.#width *= 2n;
        this.#within = false;
        Object.assign(place, { id: to, position: 0n });
      }
      if (found.length > 0) return found.map(({ position }) => position);
    }
  }

  /** The transaction before which all have ended. */
  async #end(): Promise<bigint> {
    const { epoch } = this.place;
    if (this.#closed?.epoch === epoch) return this.#closed.end;
    const s = raw(this.schema);
    const row = await this.session.row(
      sql`select epoch, pg_snapshot_xmin(pg_current_snapshot()) as xmin from ${s}.installation`,
    );
    if (numberOf(row, "epoch") === epoch) return BigInt(row?.xmin ?? 0);
    const last = await this.session.row(
      sql`select max(transaction_id::text::bigint) as id from ${s}.event where epoch = ${epoch}`,
    );
    this.#closed = { epoch, end: BigInt(last?.id ?? -1) + 1n };
    return this.#closed.end;
  }

  /** Transactions of a closed epoch have all ended: the next begins. */
  async #nextEpoch(): Promise<boolean> {
    const row = await this.session.row(
      sql`select epoch from ${raw(this.schema)}.installation where epoch > ${this.place.epoch}`,
    );
    if (row === undefined) return false;
    Object.assign(this.place, { epoch: this.place.epoch + 1, id: 0n, position: 0n, known: null });
    return true;
  }

  async #window(to: bigint): Promise<{ id: bigint; position: bigint }[]> {
    const { epoch, id, position, known } = this.place;
    const rows = await this.session.rows(sql`
      select place as position, id
      from ${raw(this.schema)}.tail_positions(${epoch}::smallint, ${id}, ${to}, ${position}, ${known}::pg_snapshot, ${page})`);
    return rows.map((row) => ({ id: BigInt(row.id ?? 0), position: BigInt(row.position ?? 0) }));
  }

  async #restOfTransaction(): Promise<{ id: bigint; position: bigint }[]> {
    const { epoch, id, position } = this.place;
    const rows = await this.session.rows(sql`
      select position from ${raw(this.schema)}.event
      where position > ${position} and transaction_id = ${String(id)}::xid8 and epoch = ${epoch} order by position limit ${page}`);
    return rows.map((row) => ({ id, position: BigInt(row.position ?? 0) }));
  }
}

/** Sleeps until it is woken; a wake that came before the sleep counts. */
class Sleeper {
  #woken = false;
  #resolve: (() => void) | undefined;

  constructor(signal: AbortSignal | undefined) {
    signal?.addEventListener("abort", () => this.wake(), { once: true });
  }

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  reset(): void {
    this.#woken = false;
  }

  /** Whether it was woken before its time. */
  async sleep(ms: number): Promise<boolean> {
    if (!this.#woken) await this.pause(ms);
    return this.#woken;
  }

  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resolve = undefined;
  }
}
