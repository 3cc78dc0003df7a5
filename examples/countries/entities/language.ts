import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../../src/index.js";

@Entity("language")
@Tracked()
export class Language {
  /** ISO 639-3. */
  @PrimaryColumn("text")
  code!: string;

  @Column("text")
  name!: string;
}
