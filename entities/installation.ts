import { Column, Entity, PrimaryColumn } from "typeorm";

/** What is installed: our own numbered step of the tables, on which cluster, with which settings. One row. */
@Entity({ schema: "chronicle", name: "installation", synchronize: false })
export class ChronicleInstallation {
  @PrimaryColumn({ type: "boolean", name: "only_row" }) onlyRow!: boolean;
  @Column({ type: "integer", name: "step" }) step!: number;
  @Column({ type: "text", name: "fingerprint" }) fingerprint!: string;
  @Column({ type: "text", name: "system_identifier" }) systemIdentifier!: string;
  /** Rises with the cluster's system identifier: transaction ids of another cluster mean nothing here. */
  @Column({ type: "smallint", name: "epoch" }) epoch!: number;
  /** The arguments of the advisory lock, as SQL. */
  @Column({ type: "text", name: "lock_arguments" }) lockArguments!: string;
  /** How many milliseconds a write waits for that lock; null for as long as it takes. */
  @Column({ type: "integer", name: "lock_timeout_ms", nullable: true }) lockTimeoutMs!: number | null;
  @Column({ type: "boolean", name: "require_actor" }) requireActor!: boolean;
  @Column({ type: "boolean", name: "require_signed" }) requireSigned!: boolean;
  /** How many bytes an event's `data` and `previous` may have together. */
  @Column({ type: "integer", name: "data_limit" }) dataLimit!: number;
  /** Where partitions were dropped: the first position that was kept. What is before it stands for what they held. */
  @Column({ type: "bigint", name: "kept_from", nullable: true }) keptFrom!: string | null;
  /** How long the activity log is kept at least; null for ever. */
  @Column({ type: "double precision", name: "activity_retention_days", nullable: true })
  activityRetentionDays!: number | null;
  /** The rights that install() gave. */
  @Column({ type: "jsonb", name: "grants" }) grants!: readonly unknown[];
  /** Tables and types of others, as the last install found them, with the owner whom it was asked to accept. */
  @Column({ type: "jsonb", name: "accepted_owners" }) acceptedOwners!: readonly unknown[];
  @Column({ type: "timestamp with time zone", name: "installed_at" }) installedAt!: Date;
}
