import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import type { Action } from "../src/core/tracked.js";
import type { FoldTable } from "./fold-table.js";
import type { Row } from "./handlers.js";

export interface StagedChange {
  readonly table: FoldTable;
  /** Key columns and values. */
  readonly id: Row;
  /** The record's key in the log, if it is an event's own. (Default: made of the id) */
  readonly key?: string | undefined;
  readonly position: bigint;
  /** "retire": an override took the record's create over; what follows for it is skipped until the next create. */
  readonly action: Action | "retire";
  readonly data: Row;
  /** Of the event that it comes from. */
  readonly tenant: string | null;
}

const batch = 1_000;

/**
 * Collects changes in order and writes them in batches, each column in the form that the log has for it. They are
 * copied in, because handlers may have made sensitive values, and servers log parameters.
 */
export class StagedChanges {
  readonly #waiting: {
    table_name: string;
    sql_name: string;
    key_columns: readonly string[];
    id: Row;
    record_key: string | undefined;
    position: string;
    ordinal: number;
    action: string;
    data: Row;
    tenant: unknown;
    source_tenant: string | null;
  }[] = [];
  #position = 0n;
  #ordinal = 0;

  constructor(
    private readonly session: Session,
    private readonly schema: string,
    /** The name of the temporary table that they go to. */
    readonly table: string,
  ) {}

  /**
   * "transaction": gone when it ends; "session": kept until then; "shared": an ordinary table, for other sessions too.
   */
  async prepare(lasts: "transaction" | "session" | "shared"): Promise<void> {
    await this.session.run(`
      create ${lasts === "shared" ? "unlogged" : "temporary"} table ${this.table} (table_name text collate "C" not null, record_key text collate "C" not null, record_id jsonb not null,
        position bigint not null, ordinal bigint not null, action text not null, data jsonb not null, tenant text, source_tenant text)
        ${lasts === "transaction" ? "on commit drop" : ""};
      create index on ${this.table} (table_name, record_key, position)`);
  }

  /** Throws UNKNOWN_COLUMN for a key that is no column: Postgres would drop it silently. */
  add({ table, id, key, position, action, data, tenant }: StagedChange): void {
    for (const name of Object.keys(data)) {
      if (!table.columns.some((column) => column.name === name) && !isKnown(table, name)) {
        throw new EventLogError(
          "UNKNOWN_COLUMN",
          `"${name}" is no column of ${table.tableName} (position ${position}).`,
          {
            details: { position, entity: table.entity, column: name },
          },
        );
      }
    }
    this.#ordinal = position === this.#position ? this.#ordinal + 1 : 1;
    this.#position = position;
    this.#waiting.push({
      table_name: table.tableName,
      sql_name: table.sqlName,
      key_columns: table.keyColumns,
      id,
      record_key: key,
      position: String(position),
      ordinal: this.#ordinal,
      action,
      data: imageOf(table, data),
      tenant: (table.tenantColumn !== null && data[table.tenantColumn]) || tenant,
      source_tenant: tenant,
    });
  }

  get isFull(): boolean {
    return this.#waiting.length >= batch;
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    await this.session.copyIn(
      `create temporary table if not exists chronicle_sent (change text) on commit drop;
      copy pg_temp.chronicle_sent from stdin;
      insert into ${this.table}
      select c.table_name,
        coalesce(c.record_key, ${this.schema}.record_key_of(c.sql_name::regclass, c.id, c.key_columns)),
        c.id, c.position, c.ordinal, c.action, c.data, c.tenant, c.source_tenant
      from pg_temp.chronicle_sent s
      cross join lateral jsonb_to_record(s.change::jsonb) as c (
        table_name text, sql_name text, key_columns text[], id jsonb, record_key text, position bigint, ordinal bigint,
        action text, data jsonb, tenant text, source_tenant text);
      truncate pg_temp.chronicle_sent`,
      this.#waiting.splice(0).map((change) => JSON.stringify(change)),
    );
  }
}

/** Generated columns are in images but not filled by replay. */
function isKnown({ metadata, excludedColumns }: FoldTable, name: string): boolean {
  return excludedColumns.includes(name) || metadata.columns.some((column) => column.databaseName === name);
}

/** A row that a handler made, in the log's form: documents as text, dates and binary as Postgres writes them. */
export function imageOf(table: FoldTable, row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const column = table.columns.find((candidate) => candidate.name === name);
      return [name, imageOfValue(value, column?.type === "json" || column?.type === "jsonb")];
    }),
  );
}

function imageOfValue(value: unknown, isDocument: boolean): unknown {
  if (value === null || value === undefined) return null;
  if (isDocument) return JSON.stringify(value);
  if (typeof value === "bigint") return String(value);
  if (Buffer.isBuffer(value)) return `\\x${value.toString("hex")}`;
  return value;
}
