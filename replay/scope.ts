import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import { type EntityReference, trackedTableOf } from "../src/log/tracked-tables.js";
import { sameKey } from "./difference.js";
import type { FoldTable } from "./fold-table.js";

/**
 * Which rows a replay looks at: those of some tables, of one tenant, or all. What lies outside is neither read nor written, and
 * an override that writes across the border is refused, because one side of what it did would stay as it was.
 *
 * A record is of a tenant when an event of it carries that tenant; events without one belong to whoever has the others.
 */
export class Scope {
  readonly tenant: string | undefined;
  readonly tables: readonly FoldTable[];

  constructor(
    private readonly dataSource: DataSource,
    /** Every table that is replayed. */
    readonly every: readonly FoldTable[],
    {
      entities,
      tenant,
    }: { entities?: readonly EntityReference[] | undefined; tenant?: string | number | undefined } = {},
  ) {
    this.tenant = tenant === undefined ? undefined : String(tenant);
    const names = entities?.map((entity) => this.#nameOf(entity));
    this.tables =
      names === undefined
        ? every
        : every.filter(({ entity, formerly }) =>
            names.some((name) => entity === name || [entity, ...formerly].some((own) => own.startsWith(`${name}.`))),
          );
  }

  get isWhole(): boolean {
    return this.tables.length === this.every.length && this.tenant === undefined;
  }

  /** Throws NOT_TRACKED for what is not tracked or not replayed. */
  #nameOf(reference: EntityReference): string {
    const { entity, auditOnly } = trackedTableOf(this.dataSource, reference);
    if (auditOnly)
      throw new EventLogError("NOT_TRACKED", `${entity} is for audit only: it is never replayed.`, {
        hint: "Leave it out of `entities`.",
      });
    return entity;
  }

  /** The rows of a live table that this is about, as a relation. */
  live(table: FoldTable): string {
    return this.tenant === undefined ? table.sqlName : `(select * from ${table.sqlName} l where ${this.covers(table)})`;
  }

  /** SQL over a live row `l`: whether this is about it. A row of the tenant that the log has never heard of counts too. */
  covers(table: FoldTable): string {
    if (this.tenant === undefined) return "true";
    const known = `exists (select from ${this.#records(table)} s where ${sameKey(table, "l", "s")})`;
    if (table.tenantColumn === null) return known;
    const { schema } = attachmentOf(this.dataSource);
    const id = table.keyColumns.map((name) => `${quoteLiteral(name)}, l.${quoteIdentifier(name)}`).join(", ");
    const keys = `array[${table.keyColumns.map(quoteLiteral).join(", ")}]::text[]`;
    return `(${known} or l.${quoteIdentifier(table.tenantColumn)}::text = ${quoteLiteral(this.tenant)} and not exists (
      select from ${schema}.event e where e.table_name = any (${schema}.table_names(${quoteLiteral(table.tableName)}))
      and e.record_key = ${schema}.record_key(jsonb_build_object(${id}), ${keys})))`;
  }

  /** Over an event `e` of the table: whether this is about its record. */
  only(table: FoldTable): Statement | undefined {
    return this.tenant === undefined
      ? undefined
      : sql`e.record_key in (select record_key from ${raw(this.#records(table))})`;
  }

  /** Throws REPLAY_CROSSES_ENTITIES where an override of an event of one table writes another, on the other side of the border. */
  refuseCrossing(own: FoldTable | undefined, target: FoldTable, position: bigint): void {
    if (own === undefined || this.#includes(own) === this.#includes(target)) return;
    throw new EventLogError(
      "REPLAY_CROSSES_ENTITIES",
      `The override of the ${own.entity} event at position ${position} writes ${target.entity}, and only one of them is replayed.`,
      { details: { position, entities: [own.entity, target.entity] } },
    );
  }

  /**
   * Finds the tenant's records in the log and among the changes that handlers made; call it again for what came since.
   * Throws REPLAY_CROSSES_TENANT where one of them has another tenant's events too, or a handler wrote another tenant's record.
   */
  async findRecords(session: Session, staged: string | undefined): Promise<void> {
    if (this.tenant === undefined) return;
    const { schema } = attachmentOf(this.dataSource);
    for (const table of this.tables) {
      const records = raw(this.#records(table));
      const keys = raw(table.keyColumns.map((name) => `r.${quoteIdentifier(name)}`).join(", "));
      const events = sql`
        select e.record_key, e.record_id, e.tenant, e.tenant as source_tenant from ${raw(schema)}.event e where e.table_name = any (${raw(schema)}.table_names(${table.tableName}))
        ${staged === undefined ? sql`` : sql`union all select record_key, record_id, tenant, source_tenant from ${raw(staged)} where table_name = ${table.tableName}`}`;
      await session.rows(
        sql`create temporary table if not exists ${records} as select ''::text collate "C" as record_key, ${keys} from ${raw(table.sqlName)} r where false`,
      );
      await session.rows(sql`
        insert into ${records}
        select e.record_key, ${keys}
        from (select distinct on (record_key) record_key, record_id from (${events}) e where tenant = ${this.tenant}) e
        cross join lateral jsonb_populate_record(null::${raw(table.sqlName)}, e.record_id) r
        where not exists (select from ${records} known where known.record_key = e.record_key)`);
      await session.run(`analyze ${this.#records(table)}`);
      const shared = await session.row(sql`
        select count(distinct e.record_key) as records, min(e.record_key) as first from (${events}) e
        where e.record_key in (select record_key from ${records}) and e.tenant <> ${this.tenant}
        or (e.tenant = ${this.tenant}) <> (e.source_tenant = ${this.tenant})`);
      if (numberOf(shared, "records") > 0) {
        throw new EventLogError(
          "REPLAY_CROSSES_TENANT",
          `${numberOf(shared, "records")} ${table.entity} records, ${shared?.first} the first, have events of this tenant and of another.`,
          { details: { entity: table.entity, records: numberOf(shared, "records"), first: shared?.first } },
        );
      }
    }
  }

  #includes({ tableName }: FoldTable): boolean {
    return this.tables.some((table) => table.tableName === tableName);
  }

  #records({ tableName }: FoldTable): string {
    return `pg_temp.chronicle_tenant_${this.every.findIndex((table) => table.tableName === tableName)}`;
  }
}
