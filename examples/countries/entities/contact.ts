import { IsEmail } from "class-validator";
import { Column, Entity, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from "typeorm";
import { Sensitive, Tracked } from "../../../src/index.js";
import { Country } from "./country.js";

/** Who to ask about a country. The people are made up, everything else in this demo is not. */
@Entity("contact")
@Tracked()
export class Contact {
  @PrimaryGeneratedColumn("identity", { type: "integer" })
  id!: number;

  @Column("text")
  desk!: string;

  /** Recorded, so that a replay brings it back, but kept apart from the events: nobody who reads the log sees it. */
  @Column("text")
  @Sensitive()
  @IsEmail()
  email!: string;

  @ManyToOne(() => Country, { nullable: false, onDelete: "CASCADE" })
  @JoinColumn({ name: "country" })
  country!: Country;
}
