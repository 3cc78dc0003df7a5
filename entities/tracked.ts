import { Column, Entity, PrimaryColumn } from "typeorm";

/** A tracked table, as capture in the database knows it. */
@Entity({ schema: "chronicle", name: "tracked", synchronize: false })
export class ChronicleTracked {
  @PrimaryColumn({ type: "smallint", name: "id" }) id!: number;
  /** What stays when the table is renamed. */
  @Column({ type: "bigint", name: "table_oid" }) tableOid!: string;
  @Column({ type: "text", name: "table_name" }) tableName!: string;
  @Column({ type: "text", array: true, name: "former_tables" }) formerTables!: string[];
  @Column({ type: "text", name: "entity" }) entity!: string;
  @Column({ type: "text", array: true, name: "former_entities" }) formerEntities!: string[];
  @Column({ type: "text", name: "discriminator_column", nullable: true }) discriminatorColumn!: string | null;
  @Column({ type: "jsonb", name: "discriminator_entities" }) discriminatorEntities!: Record<string, unknown>;
  @Column({ type: "text", array: true, name: "key_columns" }) keyColumns!: string[];
  @Column({ type: "jsonb", name: "versions" }) versions!: Record<"create" | "update" | "destroy", number>;
  @Column({ type: "text", name: "delete_date_column", nullable: true }) deleteDateColumn!: string | null;
  @Column({ type: "text", name: "tenant_column", nullable: true }) tenantColumn!: string | null;
  /** Every other column goes to event_sensitive: a mistake hides, never leaks. */
  @Column({ type: "text", array: true, name: "plain_columns" }) plainColumns!: string[];
  /** Columns whose numbers JavaScript gets as strings. */
  @Column({ type: "text", array: true, name: "digit_columns" }) digitColumns!: string[];
  /** Columns recorded in a form of their own, so that they come back equal. */
  @Column({ type: "text", array: true, name: "special_columns" }) specialColumns!: string[];
  /** Columns of type json or jsonb: a reader gets the document. */
  @Column({ type: "text", array: true, name: "json_columns" }) jsonColumns!: string[];
  @Column({ type: "text", array: true, name: "excluded_columns" }) excludedColumns!: string[];
  @Column({ type: "text", array: true, name: "actions" }) actions!: string[];
  @Column({ type: "boolean", name: "audit_only" }) auditOnly!: boolean;
  @Column({ type: "text", name: "capture" }) capture!: "trigger" | "subscriber";
  @Column({ type: "text", name: "level" }) level!: "statement" | "row";
  /** Whether it had rows when it was first tracked: the log does not know them before the baseline. */
  @Column({ type: "boolean", name: "had_rows" }) hadRows!: boolean;
  @Column({ type: "boolean", name: "baseline_complete" }) baselineComplete!: boolean;
  /** What such a table held before this position is not known. */
  @Column({ type: "bigint", name: "baseline_position", nullable: true }) baselinePosition!: string | null;
  @Column({ type: "jsonb", name: "spec" }) spec!: Record<string, unknown>;
  /** Its columns at the last install, each with the number that the log gave it for good. */
  @Column({ type: "jsonb", name: "columns", nullable: true }) columns!: Record<string, unknown>[] | null;
  /**
   * Of the table and its partitions at the last install, by oid: file and bounds; null on another cluster than that.
   */
  @Column({ type: "jsonb", name: "storage", nullable: true }) storage!: Record<string, unknown> | null;
  /** The shape that its columns have at the last install. */
  @Column({ type: "bigint", name: "hash", nullable: true }) hash!: string | null;
  /** SQL over `d.data`, the data of an event `e`: the same under today's names; null if it stands under them. */
  @Column({ type: "text", name: "today", nullable: true }) today!: string | null;
  /** What a column holds in every record whose events do not have it. */
  @Column({ type: "jsonb", name: "fills" }) fills!: Record<string, unknown>;
  /** What an install has still to compare and record. */
  @Column({ type: "jsonb", name: "unfinished", nullable: true }) unfinished!: Record<string, unknown> | null;
  /** An install ran whose code did not know it. */
  @Column({ type: "boolean", name: "absent" }) absent!: boolean;
}
