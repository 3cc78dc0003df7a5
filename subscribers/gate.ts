import { quoteIdentifier, quoteLiteral } from "../src/core/sql.js";
import type { Connection } from "./connection.js";

/** The empty table that every transaction of a tracked DataSource locks in passing, so that a live replay can wait for them. */
export class Gate {
  /** A utility command: it takes no snapshot, so any isolation level can still be set after it. */
  readonly pass: string;
  /** Databases whose gate was seen: a DataSource may be made anew for another database with the same options. */
  readonly #seen = new Set<string>();

  constructor(private readonly schema: string) {
    this.pass = `lock table ${quoteIdentifier(schema)}.gate in access share mode`;
  }

  /** Whether there is a gate that this role may pass; asked until the answer is yes. */
  async isThere(connection: Connection): Promise<boolean> {
    if (this.#seen.has(connection.database)) return true;
    const { rows } = await connection.own(`
      select
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
      where n.nspname operator(pg_catalog.=) ${quoteLiteral(this.schema)} and c.relname operator(pg_catalog.=) 'gate'
      and pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select')`);
    if (rows.length > 0) this.#seen.add(connection.database);
    return rows.length > 0;
  }

  /** It was there and is not any more. */
  forget(connection: Connection): void {
    this.#seen.delete(connection.database);
  }
}
