import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";

@Entity()
@Tracked()
export class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column("jsonb", { nullable: true }) doc!: unknown;
  @Column("numeric", { array: true, nullable: true }) amounts!: string[] | null;
}
