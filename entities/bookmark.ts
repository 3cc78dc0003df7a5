import { Column, Entity, PrimaryColumn } from "typeorm";

/** A named point in time, exact to the commit: `snapshot` says which transactions it has. */
@Entity({ schema: "chronicle", name: "bookmark", synchronize: false })
export class ChronicleBookmark {
  @PrimaryColumn({ type: "text", name: "name" }) name!: string;
  @Column({ type: "bigint", name: "position" }) position!: string;
  @Column({ type: "text", name: "snapshot" }) snapshot!: string;
  @Column({ type: "smallint", name: "epoch" }) epoch!: number;
  @Column({ type: "timestamp with time zone", name: "created_at" }) createdAt!: Date;
}
