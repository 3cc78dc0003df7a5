import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Sensitive, Tracked } from "../../src/index.js";

@Entity()
@Tracked()
export class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("jsonb", { nullable: true }) settings!: unknown;
  @Column("text", { name: "tax_number", nullable: true }) @Sensitive() taxNumber!: string | null;
}
