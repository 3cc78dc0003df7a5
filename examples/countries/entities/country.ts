import { Column, DeleteDateColumn, Entity, JoinColumn, JoinTable, ManyToMany, ManyToOne, PrimaryColumn } from "typeorm";
import { Tracked } from "../../../src/index.js";
import { Currency } from "./currency.js";
import { Language } from "./language.js";
import { Region } from "./region.js";

/** Its three junction tables are tracked with it, as Country.languages, Country.currencies and Country.borders. */
@Entity("country")
@Tracked()
export class Country {
  /** ISO 3166-1 alpha-3. */
  @PrimaryColumn("text")
  cca3!: string;

  @Column("text")
  name!: string;

  @Column("text", { name: "official_name" })
  officialName!: string;

  /** In its own language; the import leaves it to the editors. */
  @Column("text", { name: "native_name", nullable: true })
  nativeName?: string | null;

  @Column("text", { nullable: true })
  capital?: string | null;

  /** In square kilometres; text, because numeric does not fit a JavaScript number. */
  @Column("numeric", { nullable: true })
  area?: string | null;

  @Column("boolean")
  landlocked!: boolean;

  @Column("double precision")
  latitude!: number;

  @Column("double precision")
  longitude!: number;

  /** Top-level domains. */
  @Column("text", { array: true })
  domains!: string[];

  /** How often its page was opened: a counter that is only ever incremented in the database. */
  @Column("integer", { default: 0 })
  visits!: number;

  @DeleteDateColumn({ name: "deleted_at", type: "timestamptz" })
  deletedAt?: Date | null;

  @ManyToOne(() => Region, { nullable: false })
  @JoinColumn({ name: "region_id" })
  region!: Region;

  @ManyToMany(() => Language)
  @JoinTable({
    name: "country_language",
    joinColumn: { name: "country" },
    inverseJoinColumn: { name: "language" },
  })
  languages!: Language[];

  @ManyToMany("currency")
  @JoinTable({
    name: "country_currency",
    joinColumn: { name: "country" },
    inverseJoinColumn: { name: "currency" },
  })
  currencies!: Currency[];

  @ManyToMany(() => Country)
  @JoinTable({
    name: "country_border",
    joinColumn: { name: "country" },
    inverseJoinColumn: { name: "neighbour" },
  })
  borders!: Country[];
}
