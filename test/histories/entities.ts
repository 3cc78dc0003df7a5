import {
  ChildEntity,
  Column,
  DeleteDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
} from "typeorm";
import { Sensitive, Tracked } from "../../src/index.js";

class Address {
  @Column("text", { nullable: true }) street!: string | null;
  @Column("text", { nullable: true }) city!: string | null;
}

/** A natural key that other rows follow when it changes. */
@Entity()
@Tracked()
export class Team {
  @PrimaryColumn("text") name!: string;
  @Column("integer", { default: 0 }) points!: number;
}

/** Refers to itself; is removed softly and for good; has a many-to-many relation. */
@Entity()
@Tracked()
export class Person {
  @PrimaryGeneratedColumn("identity") id!: number;
  @Column("text", { nullable: true }) name!: string | null;
  @Column("integer", { default: 0 }) score!: number;
  @Column("text", { name: "tax_number", nullable: true }) @Sensitive() taxNumber!: string | null;
  @Column(() => Address) address!: Address;
  @ManyToOne(() => Person, { nullable: true, onDelete: "SET NULL" }) manager!: Relation<Person> | null;
  @ManyToMany(() => Team) @JoinTable() teams!: Relation<Team>[];
  @VersionColumn() revision!: number;
  @UpdateDateColumn({ type: "timestamptz" }) changedAt!: Date;
  @DeleteDateColumn({ type: "timestamptz" }) deletedAt!: Date | null;
}

/** A composite key, and a unique column whose values rows may swap in one statement (setUp makes it deferrable). */
@Entity()
@Tracked()
export class Seat {
  @PrimaryColumn("integer") row!: number;
  @PrimaryColumn("integer") number!: number;
  @Column("integer", { nullable: true }) code!: number | null;
  @ManyToOne(() => Person, { nullable: true, onDelete: "CASCADE" }) person!: Relation<Person> | null;
}

@Entity()
@TableInheritance({ column: { type: "text", name: "kind" } })
@Tracked()
export class Vehicle {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text", { nullable: true }) name!: string | null;
}

@ChildEntity()
export class Car extends Vehicle {
  @Column("integer", { nullable: true }) doors!: number | null;
}

@ChildEntity()
export class Truck extends Vehicle {
  @Column("numeric", { nullable: true }) load!: string | null;
}

@Entity()
@Tree("closure-table")
@Tracked()
export class Category {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text", { nullable: true }) name!: string | null;
  @TreeParent({ onDelete: "CASCADE" }) parent!: Relation<Category> | null;
  @TreeChildren() children!: Relation<Category>[];
}

@Entity()
@Tracked()
export class Invoice {
  @PrimaryGeneratedColumn("increment", { type: "bigint" }) id!: string;
  @Column("text", { nullable: true }) title!: string | null;
  @OneToMany(() => InvoiceLine, (line) => line.invoice, { cascade: true }) lines!: Relation<InvoiceLine>[];
}

@Entity()
@Tracked()
export class InvoiceLine {
  @PrimaryGeneratedColumn() id!: number;
  @Column("numeric", { default: 1 }) amount!: string;
  @Column({ type: "numeric", asExpression: "amount * 2", generatedType: "STORED", nullable: true }) double!: string;
  @ManyToOne(() => Invoice, (invoice) => invoice.lines, { onDelete: "CASCADE", orphanedRowAction: "delete" })
  invoice!: Relation<Invoice> | null;
}

/** A column of each kind that is easily changed on the way to JSON and back. */
@Entity()
@Tracked()
export class Sample {
  @PrimaryColumn("uuid") id!: string;
  @Column("text", { nullable: true }) text!: string | null;
  @Column("json", { nullable: true }) json!: unknown;
  @Column("jsonb", { nullable: true }) jsonb!: unknown;
  @Column("text", { array: true, nullable: true }) texts!: string[] | null;
  @Column("double precision", { array: true, nullable: true }) floats!: number[] | null;
  @Column("numeric", { nullable: true }) numeric!: string | null;
  @Column("double precision", { nullable: true }) float!: number | string | null;
  @Column("bigint", { nullable: true }) big!: string | null;
  @Column("bytea", { nullable: true }) bytes!: Buffer | null;
  @Column("timestamptz", { nullable: true }) moment!: string | null;
  @Column("interval", { nullable: true }) span!: unknown;
  @Column("text", { nullable: true, select: false }) secret!: string | null;
}

/** A badge as release 1 has it. */
@Entity({ name: "badge" })
@Tracked({ name: "Badge", version: 1 })
export class BadgeV1 {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") label!: string;
}

/** As release 2 has it: the label is split in two. */
@Entity({ name: "badge" })
@Tracked({ name: "Badge", version: 2 })
export class Badge {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") sign!: string;
  @Column("text") rest!: string;
}

const lasting = [Team, Person, Seat, Vehicle, Car, Truck, Category, Invoice, InvoiceLine, Sample];
export const releaseOne = [...lasting, BadgeV1];
export const releaseTwo = [...lasting, Badge];
