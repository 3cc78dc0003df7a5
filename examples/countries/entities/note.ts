import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
  VersionColumn,
} from "typeorm";
import { Tracked } from "../../../src/index.js";
import { Country } from "./country.js";

/** An editor's note on a country, or a reply to one. The database removes notes with their country, replies with their note. */
@Entity("note")
@Tracked()
export class Note {
  @PrimaryGeneratedColumn({ type: "integer" })
  id!: number;

  @Column("text")
  text!: string;

  @ManyToOne(() => Country, { nullable: false, onDelete: "CASCADE" })
  @JoinColumn({ name: "country" })
  country!: Country;

  @ManyToOne(() => Note, { onDelete: "CASCADE" })
  @JoinColumn({ name: "reply_to" })
  replyTo?: Note | null;

  /** Set by TypeORM. A replay runs no such hook: the row comes back with the values it had. */
  @CreateDateColumn({ name: "created_at", type: "timestamptz" })
  createdAt!: Date;

  @VersionColumn({ type: "integer" })
  revision!: number;
}
