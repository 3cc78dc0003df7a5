import { Column, Entity, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../../src/index.js";

/** A region such as Europe, or a part of one, such as Western Europe. */
@Entity("region")
@Tracked()
export class Region {
  /** The database insists on drawing this number itself; a replay still puts every row back under the number it had. */
  @PrimaryGeneratedColumn("identity", { type: "integer", generatedIdentity: "ALWAYS" })
  id!: number;

  @Column("text", { unique: true })
  name!: string;

  @ManyToOne(() => Region)
  @JoinColumn({ name: "part_of" })
  partOf?: Region | null;
}
