import { Column, Entity, PrimaryColumn } from "typeorm";

export const origins = [
  "capture",
  "baseline",
  "migration",
  "reconcile",
  "rewind",
  "revert",
  "undo",
  "erase",
  "retained",
] as const;
/**
 * Where an event comes from: an ordinary write (capture), or something that the log itself did. Only its own functions
 * say.
 */
export type Origin = (typeof origins)[number];

/**
 * One recorded change, as the table `chronicle.event` holds it. List the class in `entities` to read events through
 * TypeORM.
 */
@Entity({ schema: "chronicle", name: "event", synchronize: false })
export class ChronicleEvent {
  /** Place in the whole log; gaps are normal. */
  @PrimaryColumn({ type: "bigint", name: "position" }) position!: string;
  @Column({ type: "text", name: "table_name" }) tableName!: string;
  @Column({ type: "text", name: "entity" }) entity!: string;
  @Column({ type: "jsonb", name: "record_id" }) recordId!: Record<string, unknown>;
  @Column({ type: "text", name: "record_key" }) recordKey!: string;
  @Column({ type: "text", name: "action" }) action!: "create" | "update" | "destroy";
  @Column({ type: "text", name: "action_name", nullable: true }) actionName!: string | null;
  /** What wrote it: the application's own write (capture), or what the log did. */
  @Column({ type: "text", name: "origin" }) origin!: Origin;
  /** Null where the table had the shape of the last install before; else a hash that `table_shape` describes. */
  @Column({ type: "bigint", name: "shape", nullable: true }) shape!: string | null;
  @Column({ type: "integer", name: "version" }) version!: number;
  @Column({ type: "jsonb", name: "data" }) data!: Record<string, unknown>;
  @Column({ type: "jsonb", name: "previous" }) previous!: Record<string, unknown>;
  @Column({ type: "text", name: "actor_type", nullable: true }) actorType!: string | null;
  @Column({ type: "text", name: "actor_id", nullable: true }) actorId!: string | null;
  @Column({ type: "text", name: "actor_name", nullable: true }) actorName!: string | null;
  @Column({ type: "jsonb", name: "metadata" }) metadata!: Record<string, unknown>;
  @Column({ type: "text", name: "tenant", nullable: true }) tenant!: string | null;
  @Column({ type: "text", name: "correlation_id", nullable: true }) correlationId!: string | null;
  @Column({ type: "text", name: "causation_id", nullable: true }) causationId!: string | null;
  /** The key that signed who and why; null where none did. */
  @Column({ type: "text", name: "signed_by", nullable: true }) signedBy!: string | null;
  @Column({ type: "bigint", name: "transaction_id" }) transactionId!: string;
  @Column({ type: "smallint", name: "epoch" }) epoch!: number;
  @Column({ type: "timestamp with time zone", name: "occurred_at" }) occurredAt!: Date;
}
