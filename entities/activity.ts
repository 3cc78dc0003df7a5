import { Column, Entity, PrimaryColumn } from "typeorm";

export const outcomes = ["success", "failure", "denied", "error", "unknown"] as const;
/** How an action ended: refused by its own rules (failure), by an access rule (denied), or broken (error). */
export type Outcome = (typeof outcomes)[number];

export const severities = ["debug", "info", "warning", "error", "critical"] as const;
export type Severity = (typeof severities)[number];

/** What is known of the request that an entry belongs to. */
export interface RequestFacts {
  readonly id?: string | null;
  readonly method?: string | null;
  /** Without the query string, which may hold secrets. */
  readonly path?: string | null;
  readonly host?: string | null;
  readonly ip?: string | null;
  readonly port?: number | null;
  readonly userAgent?: string | null;
  readonly forwarded?: string | null;
  readonly xForwardedFor?: string | null;
}

/** What somebody did or tried, as the table `chronicle.activity` holds it. List the class in `entities` to read it through TypeORM. */
@Entity({ schema: "chronicle", name: "activity", synchronize: false })
export class ChronicleActivity {
  /** A UUID of version 7. */
  @PrimaryColumn({ type: "uuid", name: "id" }) id!: string;
  /** By the clock of the process that recorded it. */
  @Column({ type: "timestamp with time zone", name: "occurred_at" }) occurredAt!: Date;
  @Column({ type: "text", name: "log" }) log!: string;
  @Column({ type: "text", name: "action" }) action!: string;
  @Column({ type: "text", name: "category", nullable: true }) category!: string | null;
  @Column({ type: "text", name: "outcome" }) outcome!: Outcome;
  @Column({ type: "text", name: "severity" }) severity!: Severity;
  @Column({ type: "text", name: "actor_type", nullable: true }) actorType!: string | null;
  @Column({ type: "text", name: "actor_id", nullable: true }) actorId!: string | null;
  @Column({ type: "text", name: "actor_name", nullable: true }) actorName!: string | null;
  /** Whom it is about where that is no actor (yet), such as the address given at a sign-in. */
  @Column({ type: "text", name: "subject", nullable: true }) subject!: string | null;
  @Column({ type: "text", name: "tenant", nullable: true }) tenant!: string | null;
  @Column({ type: "text", name: "strategy", nullable: true }) strategy!: string | null;
  @Column({ type: "text", name: "resource_type", nullable: true }) resourceType!: string | null;
  @Column({ type: "text", name: "resource_key", nullable: true }) resourceKey!: string | null;
  @Column({ type: "jsonb", name: "params" }) params!: Record<string, unknown>;
  @Column({ type: "jsonb", name: "details" }) details!: Record<string, unknown>;
  @Column({ type: "text", name: "error", nullable: true }) error!: string | null;
  @Column({ type: "jsonb", name: "request", nullable: true }) request!: RequestFacts | null;
  /** The request's address; generated, to be searched by. */
  @Column({ type: "text", name: "ip", nullable: true, insert: false, update: false }) ip!: string | null;
  /** The same as that of the data events of the request. */
  @Column({ type: "text", name: "correlation_id", nullable: true }) correlationId!: string | null;
  @Column({ type: "text", name: "causation_id", nullable: true }) causationId!: string | null;
  @Column({ type: "text", name: "trace_id", nullable: true }) traceId!: string | null;
  @Column({ type: "text", name: "span_id", nullable: true }) spanId!: string | null;
  /** The process that recorded it: host name and process id. */
  @Column({ type: "text", name: "node" }) node!: string;
  @Column({ type: "text", name: "source" }) source!: "server" | "client";
}
