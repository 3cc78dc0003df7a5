import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn, UpdateDateColumn } from "typeorm";
import { Tracked } from "../../src/index.js";

interface Preferences {
  theme: string;
  newsletter: boolean;
  languages: string[];
}

/** A row of 17 columns, as applications have them. Where the DataSource is a plain one, `@Tracked` does nothing. */
@Entity("account")
@Tracked()
export class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: "text", name: "first_name" }) firstName!: string;
  @Column({ type: "text", name: "last_name" }) lastName!: string;
  @Column({ type: "text", name: "email" }) email!: string;
  @Column({ type: "text", name: "phone", nullable: true }) phone!: string | null;
  @Column({ type: "text", name: "street" }) street!: string;
  @Column({ type: "text", name: "postal_code" }) postalCode!: string;
  @Column({ type: "text", name: "city" }) city!: string;
  @Column({ type: "varchar", name: "country", length: 2 }) country!: string;
  @Column({ type: "numeric", name: "balance", precision: 12, scale: 2 }) balance!: string;
  @Column({ type: "integer", name: "points" }) points!: number;
  @Column({ type: "boolean", name: "active" }) active!: boolean;
  @Column({ type: "date", name: "born_on", nullable: true }) bornOn!: string | null;
  @Column({ type: "uuid", name: "referred_by", nullable: true }) referredBy!: string | null;
  @Column({ type: "jsonb", name: "preferences" }) preferences!: Preferences;
  @CreateDateColumn({ type: "timestamp with time zone", name: "created_at" }) createdAt!: Date;
  @UpdateDateColumn({ type: "timestamp with time zone", name: "updated_at" }) updatedAt!: Date;
}

/** The values of a new account; `number` makes them differ. */
export function accountValues(number: number): Omit<Account, "id" | "createdAt" | "updatedAt"> {
  return {
    firstName: `Ada ${number}`,
    lastName: "Lovelace",
    email: `ada.${number}@example.com`,
    phone: number % 3 === 0 ? null : `+44 20 7946 ${number % 10_000}`,
    street: `${number % 300} St James's Square`,
    postalCode: "SW1Y 4LE",
    city: "London",
    country: "GB",
    balance: `${number % 1_000}.50`,
    points: number % 100,
    active: number % 7 !== 0,
    bornOn: "1815-12-10",
    referredBy: number % 2 === 0 ? "0b9f4b0e-3c0e-4b43-9d53-0d3b8b0f1f2a" : null,
    preferences: { theme: "dark", newsletter: number % 2 === 0, languages: ["en", "fr"] },
  };
}
