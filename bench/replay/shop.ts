import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";

@Entity("customer")
@Tracked()
export class Customer {
  @PrimaryColumn({ type: "uuid", name: "id" }) id!: string;
  @Column({ type: "integer", name: "number", unique: true }) number!: number;
  @Column({ type: "text", name: "name" }) name!: string;
  @Column({ type: "text", name: "email" }) email!: string;
  @Column({ type: "text", name: "city" }) city!: string;
  @Column({ type: "jsonb", name: "preferences" }) preferences!: Record<string, unknown>;
  @Column({ type: "timestamp with time zone", name: "updated_at" }) updatedAt!: Date;
}

@Entity("purchase")
@Tracked()
export class Purchase {
  @PrimaryColumn({ type: "uuid", name: "id" }) id!: string;
  @ManyToOne(() => Customer, { nullable: false })
  @JoinColumn({ name: "customer_id" })
  @Index()
  customer!: Customer;
  @Column({ type: "integer", name: "number" }) number!: number;
  @Column({ type: "text", name: "state" }) state!: string;
  @Column({ type: "numeric", name: "total", precision: 12, scale: 2 }) total!: string;
  @Column({ type: "timestamp with time zone", name: "updated_at" }) updatedAt!: Date;
}

@Entity("purchase_item")
@Tracked()
export class PurchaseItem {
  @PrimaryGeneratedColumn({ type: "bigint", name: "id" }) id!: string;
  @ManyToOne(() => Purchase, { nullable: false, onDelete: "CASCADE" })
  @JoinColumn({ name: "purchase_id" })
  @Index()
  purchase!: Purchase;
  @Column({ type: "text", name: "product" }) product!: string;
  @Column({ type: "integer", name: "quantity" }) quantity!: number;
  @Column({ type: "numeric", name: "price", precision: 12, scale: 2 }) price!: string;
}

/** Parents first. */
export const shopEntities = [Customer, Purchase, PurchaseItem];
export const shopTables = ["customer", "purchase", "purchase_item"];
