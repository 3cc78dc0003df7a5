import {
  ChildEntity,
  Column,
  Entity,
  Index,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
} from "typeorm";
import { Tracked } from "../../../src/index.js";

@Entity()
@Tree("closure-table")
@Tracked()
export class ClosureNode {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @TreeParent({ onDelete: "CASCADE" }) parent!: Relation<ClosureNode> | null;
  @TreeChildren() children!: Relation<ClosureNode>[];
}

@Entity()
@Tree("materialized-path")
@Tracked()
export class PathNode {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @TreeParent() parent!: Relation<PathNode> | null;
  @TreeChildren() children!: Relation<PathNode>[];
}

@Entity()
@Tree("nested-set")
@Tracked()
export class SetNode {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @TreeParent() parent!: Relation<SetNode> | null;
  @TreeChildren() children!: Relation<SetNode>[];
}

@Entity()
@TableInheritance({ column: { type: "text", name: "kind" } })
@Tracked({ version: 2 })
export class Vehicle {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

@ChildEntity("car")
@Tracked({ name: "MotorCar", version: 3 })
export class Car extends Vehicle {
  @Column("integer", { nullable: true }) doors!: number | null;
}

@ChildEntity()
export class Truck extends Vehicle {
  @Column("integer", { nullable: true }) load!: number | null;
}

class Money {
  @Column("numeric") amount!: string;
  @Column("text") currency!: string;
}

class Price {
  @Column(() => Money) net!: Money;
  @Column(() => Money, { prefix: "tax" }) tax!: Money;
}

@Entity()
@Tracked()
export class OrderLine {
  @PrimaryColumn("integer", { name: "order_number" }) order!: number;
  @PrimaryColumn("text") sku!: string;
  @Column("integer", { default: 1 }) quantity!: number;
  @Column(() => Price) price!: Price;
}

/** Names that SQL has to quote, in a schema that SQL has to quote. */
@Entity({ schema: "Shop floor", name: "Order" })
@Tracked({ name: "Reserved" })
export class Reserved {
  @PrimaryGeneratedColumn("identity", { name: "primary", generatedIdentity: "ALWAYS" }) id!: number;
  @Column("text", { name: "say 'hi'; -- $1 %s", nullable: true }) greeting!: string | null;
  @Column("text", { name: "t", nullable: true }) alias!: string | null;
  @Column("text", { name: "new_rows", nullable: true }) rows!: string | null;
  @Column("text", { name: "position", default: "it is \\ here" }) place!: string;
  @Column("integer", { name: "a".repeat(63), nullable: true }) longest!: number | null;
}

@Entity({ name: "b".repeat(63) })
@Tracked({ name: "Longest" })
export class Longest {
  @PrimaryGeneratedColumn("increment", { type: "bigint" }) id!: string;
  @Column("text") name!: string;
  @Index() @Column("integer", { default: () => "7" }) lucky!: number;
  @Column({ type: "integer", asExpression: "lucky * 2", generatedType: "STORED", nullable: true }) double!: number;
}

export const structures = [ClosureNode, PathNode, SetNode, Vehicle, Car, Truck, OrderLine, Reserved, Longest];

const kinds: Readonly<Record<string, string>> = { car: "MotorCar", Truck: "Truck" };

export const structureTables = [
  { table: "closure_node", entity: "ClosureNode" },
  { table: "closure_node_closure", entity: "ClosureNode.closure" },
  { table: "path_node", entity: "PathNode" },
  { table: "set_node", entity: "SetNode" },
  { table: "vehicle", entity: (row: { readonly kind?: string | null }) => kinds[row.kind ?? ""] ?? "Vehicle" },
  { table: "order_line", entity: "OrderLine" },
  { table: `"Shop floor"."Order"`, entity: "Reserved" },
  { table: "b".repeat(63), entity: "Longest" },
];
