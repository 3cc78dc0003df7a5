import { Column, Entity, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { Tracked } from "../../src/index.js";

/** A few rows that every transaction wants: what one gives another gets, so their sum stays. */
@Entity()
@Tracked()
export class Account {
  @PrimaryColumn("integer") id!: number;
  @Column("integer", { default: 0 }) balance!: number;
}

/** New rows of each transaction, that say which it was. */
@Entity()
@Tracked()
export class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") mark!: string;
  @ManyToOne(() => Account, { nullable: false }) account!: Relation<Account>;
}

export const accounts = 6;
