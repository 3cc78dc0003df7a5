import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { parseExactly } from "../src/core/exact-json.js";
import type { Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Action } from "../src/core/tracked.js";
import type { RecordedEvent } from "../src/log/event.js";
import { idColumns, recordKeys, type RecordId } from "../src/log/record-id.js";
import { type EntityReference, trackedTableOf } from "../src/log/tracked-tables.js";
import type { FoldTable } from "./fold-table.js";
import type { HandlerNames } from "./handler-shape.js";
import type { ReplayState, Row } from "./handlers.js";
import type { Plan } from "./plan.js";
import type { Scope } from "./scope.js";
import { imageOf, type StagedChanges } from "./staged-changes.js";

/** How many records are kept: memory stays flat in a log of any size. */
const mostKnown = 10_000;

/** Where an override stands: the table and the key of its event, and the names that it speaks. */
interface Place {
  readonly own: FoldTable | undefined;
  readonly key: string;
  readonly names: HandlerNames;
}

/** A record's folded state and how far in the log it goes. */
interface Known {
  position: bigint;
  row: Row | null;
}

/**
 * What overrides read and write. The state of a record that was asked for is kept and advanced by the events since,
 * not folded anew: any number of overrides on one record takes linear time.
 */
export class OverrideState {
  readonly #known = new Map<string, Known>();
  readonly #keys = new Map<string, string>();
  #open = 0n;
  /** Calls of the open override that are not done. */
  readonly #pending = new Set<Promise<unknown>>();

  constructor(
    private readonly session: Session,
    private readonly dataSource: DataSource,
    private readonly replay: {
      readonly plan: Plan;
      readonly changes: StagedChanges;
      readonly tables: readonly FoldTable[];
      readonly scope?: Scope | undefined;
    },
  ) {}

  /**
   * The state as of an event on a table of its own. An overridden create retires its record, unless the handler creates
   * it.
   */
  at(event: RecordedEvent, { own, key, names }: Place): ReplayState {
    const { position } = event;
    this.#open = position;
    if (event.action === "create" && own !== undefined) {
      const { tenant } = event;
      this.replay.changes.add({ table: own, id: event.recordId, key, position, action: "retire", data: {}, tenant });
    }
    const write = async (action: Action, entity: EntityReference, id: RecordId, changes: Row) => {
      const table = this.#table(position, entity);
      this.replay.scope?.refuseCrossing(own, table, position);
      const written = names.toToday(table, changes);
      const filled = [
        ...Object.keys(JSON.parse(table.fills ?? "{}") as Row),
        ...(table.history?.filledByRow(-1n) ?? []),
      ];
      const blank = table.columns.filter(({ name }) => action === "create" && !filled.includes(name));
      const row = { ...Object.fromEntries(blank.map(({ name }) => [name, null])), ...written };
      await this.#write(event, table, action, idColumns(table, idToday(table, id, names)), row);
    };
    return {
      create: (entity, row) => this.#noted(write("create", entity, row, row)),
      update: (entity, id, changes) => this.#noted(write("update", entity, id, changes)),
      destroy: (entity, id) => this.#noted(write("destroy", entity, id, {})),
      find: <Columns>(entity: EntityReference, id: RecordId) => {
        const find = async () => {
          const table = this.#table(position, entity);
          const row = await this.#find(table, position, idToday(table, id, names));
          return (row && names.fromToday(table, row)) as Columns | null;
        };
        return this.#noted(find());
      },
    };
  }

  #noted<T>(call: Promise<T>): Promise<T> {
    const noted = call.finally(() => this.#pending.delete(noted));
    this.#pending.add(noted);
    return noted;
  }

  /** Whether the override has called what it did not wait for. */
  get isPending(): boolean {
    return this.#pending.size > 0;
  }

  /** The override has ended: from here on it can write nothing. */
  async close(): Promise<void> {
    this.#open = 0n;
    await Promise.allSettled(this.#pending);
  }

  #table(position: bigint, entity: EntityReference): FoldTable {
    if (this.#open !== position) throw new Error("state was used after its override had ended; await every call");
    const { tableName } = trackedTableOf(this.dataSource, entity);
    const table = this.replay.tables.find((candidate) => candidate.tableName === tableName);
    if (table === undefined)
      throw new EventLogError("NOT_TRACKED", `${tableName} is not replayed, so an override cannot write it.`);
    return table;
  }

  async #write(
    { position, tenant }: RecordedEvent,
    table: FoldTable,
    action: Action,
    id: Row,
    data: Row,
  ): Promise<void> {
    const known = this.#known.get(await this.#key(table, id));
    this.replay.changes.add({ table, id, position, action, data, tenant });
    // One that was not asked for at this event is brought up to date when it is next asked for.
    if (known?.position === position)
      known.row = action === "destroy" ? null : { ...(action === "update" ? known.row : {}), ...imageOf(table, data) };
    if (this.replay.changes.isFull) await this.replay.changes.flush();
  }

  async #find(table: FoldTable, position: bigint, id: RecordId): Promise<Row | null> {
    const key = await this.#key(table, idColumns(table, id));
    const known = this.#known.get(key) ?? { position: 0n, row: null };
    await this.replay.changes.flush();
    for (const { action, data } of await this.#since(
      table,
      key.slice(key.indexOf("\n") + 1),
      known.position,
      position,
    )) {
      const row = parseExactly(data ?? "{}") as Row;
      known.row =
        action === "create"
          ? { ...(parseExactly(table.fills ?? "{}") as Row), ...row }
          : action === "update" && known.row !== null
            ? { ...known.row, ...row }
            : action === "update"
              ? known.row
              : null;
    }
    known.position = position;
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size > mostKnown) this.#known.delete(this.#known.keys().next().value ?? "");
    return known.row === null ? null : readable(table, known.row);
  }

  /** The events of a record after one position and before another, with what handlers put in the place of old ones. */
  #since(table: FoldTable, key: string, after: bigint, before: bigint) {
    const { schema } = attachmentOf(this.dataSource);
    const name = raw(schema);
    const digits = sql`(select digit_columns from ${name}.tracked where table_name = ${table.tableName})`;
    return this.session.rows(sql`
      select action, ${name}.digits_as_text(data, ${digits}) as data
      from (
        select e.position, 0::bigint as ordinal, e.action, ${raw(table.today ?? "d.data")} as data
        from ${name}.event e left join ${name}.event_sensitive s on s.position = e.position
        cross join lateral (select e.data || coalesce(s.data, '{}') as data) d
        where e.table_name = any (${name}.table_names(${table.tableName})) and e.record_key = ${key}
        and e.position > ${after} and e.position < ${before} and not (${raw(this.replay.plan.handled)})
        union all
        select position, ordinal, action, data from ${raw(this.replay.changes.table)}
        where table_name = ${table.tableName} and record_key = ${key} and position > ${after} and position <= ${before}
      ) e
      order by position, ordinal`);
  }

  /** The record's key, after the table's name and a line break. */
  async #key(table: FoldTable, id: Row): Promise<string> {
    const asked = `${table.tableName}\n${JSON.stringify(id)}`;
    const found = this.#keys.get(asked);
    if (found !== undefined) return found;
    const { schema } = attachmentOf(this.dataSource);
    const [key = ""] = await recordKeys(this.session, schema, table, [id]);
    if (this.#keys.size > mostKnown) this.#keys.clear();
    this.#keys.set(asked, `${table.tableName}\n${key}`);
    return `${table.tableName}\n${key}`;
  }
}

function idToday(table: FoldTable, id: RecordId, names: HandlerNames): RecordId {
  return typeof id === "object" && !(id instanceof Date) ? names.toToday(table, id) : id;
}

function readable(table: FoldTable, row: Row): Row {
  const copy = { ...row };
  for (const { name, type } of table.columns) {
    const value = copy[name];
    if ((type === "json" || type === "jsonb") && typeof value === "string") copy[name] = parseExactly(value);
  }
  return copy;
}
