import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Sensitive, Tracked } from "../../src/index.js";

@Entity()
@Tracked({ reads: true })
export class Account {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("text") name!: string;
  @Column("text", { name: "tax_number", nullable: true }) @Sensitive() taxNumber!: string | null;
}
