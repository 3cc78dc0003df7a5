import { Column, Entity, PrimaryColumn } from "typeorm";

/** The sensitive columns of an event, apart from it, with grants of their own. */
@Entity({ schema: "chronicle", name: "event_sensitive", synchronize: false })
export class ChronicleEventSensitive {
  @PrimaryColumn({ type: "bigint", name: "position" }) position!: string;
  @Column({ type: "jsonb", name: "data" }) data!: Record<string, unknown>;
  @Column({ type: "jsonb", name: "previous" }) previous!: Record<string, unknown>;
}
