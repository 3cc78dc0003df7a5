import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../../../src/index.js";

/** A currency as release 1 had it. A real application would have edited this class; the demo runs both releases. */
@Entity("currency")
@Tracked({ name: "Currency", version: 1 })
export class CurrencyV1 {
  /** ISO 4217. */
  @PrimaryColumn("text")
  code!: string;

  /** The name with the symbol behind it, "Euro (€)". */
  @Column("text")
  label!: string;
}

/** Its row, which is what the log's version 1 events hold. */
export interface CurrencyV1Row {
  code: string;
  label: string;
}
