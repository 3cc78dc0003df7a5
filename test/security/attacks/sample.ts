import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../../src/index.js";

/** Values whose text depends on what a session has set. */
@Entity()
@Tracked()
export class Sample {
  @PrimaryColumn("varchar", { length: 40 }) id!: string;
  @Column("timestamptz", { nullable: true }) moment!: Date | null;
  @Column("date", { nullable: true }) day!: string | null;
  @Column("interval", { nullable: true }) lasts!: unknown;
  @Column("bytea", { nullable: true }) bytes!: Buffer | null;
  @Column("double precision", { nullable: true }) ratio!: number | null;
  @Column("numeric", { nullable: true }) exact!: string | null;
  @Column("money", { nullable: true }) price!: string | null;
  @Column("xml", { nullable: true }) markup!: string | null;
  @Column("text", { nullable: true }) words!: string | null;
  @Column("text", { array: true, nullable: true }) list!: string[] | null;
  @Column("jsonb", { nullable: true }) document!: unknown;
}
