import { IsNotEmpty, Length } from "class-validator";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../../src/index.js";

/**
 * A currency since release 2, with the name and the symbol apart.
 * The version went up with the migration that split them, so the log can tell the events of either shape.
 */
@Entity("currency")
@Tracked({ version: 2 })
export class Currency {
  /** ISO 4217. */
  @PrimaryColumn("text")
  @Length(3, 3)
  code!: string;

  @Column("text")
  @IsNotEmpty()
  name!: string;

  @Column("text")
  symbol!: string;
}
