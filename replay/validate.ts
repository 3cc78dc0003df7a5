import type { validate as validateFunction, ValidationError } from "class-validator";
import type { DataSource } from "typeorm";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { raw, sql, type Statement } from "../src/core/sql.js";
import { entityOf } from "./at.js";
import { recordKey } from "./fold.js";
import type { FoldTable } from "./fold-table.js";

/** A rebuilt row that its entity's own decorators refuse. */
interface InvalidRow {
  readonly entity: string;
  readonly recordId: Record<string, unknown>;
  /** The properties refused, nested ones with their path; never their values. */
  readonly properties: readonly string[];
}

const page = 1_000;
const reported = 100;

/** class-validator's `validate`. */
export type Validate = typeof validateFunction;

/** Loaded for `validate: true` alone: whoever does not ask for it need not have the package. Throws OPTIONS_INVALID. */
export async function classValidator(): Promise<Validate> {
  try {
    return (await import("class-validator")).validate;
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new EventLogError(
      "OPTIONS_INVALID",
      "replay: `validate: true` needs class-validator, which is not installed.",
      {
        hint: "Run `npm install class-validator`, or leave `validate` out.",
        cause,
      },
    );
  }
}

/** Collects rows that do not pass the class-validator decorators of their entities, a page in memory at a time. */
export class RowValidation {
  readonly #invalid: InvalidRow[] = [];
  #count = 0;

  constructor(
    private readonly session: Session,
    private readonly dataSource: DataSource,
    private readonly validate: Validate,
  ) {}

  /** Checks the rows of a fold, all or those of some records. Tables without a class, such as junctions, have nothing to check. */
  async check(table: FoldTable, fold: string, keys?: readonly string[]): Promise<void> {
    if (typeof table.metadata.target !== "function") return;
    const which: Statement = keys === undefined ? sql`true` : sql`${raw(recordKey)} = any (${keys})`;
    await this.session.rows(
      sql`declare chronicle_validation no scroll cursor for select * from ${raw(fold)} where ${which}`,
    );
    for (;;) {
      const rows = await this.session.typedRows(sql`fetch ${raw(String(page))} from chronicle_validation`);
      for (const row of rows) await this.#checkRow(table, row);
      if (rows.length < page) break;
    }
    await this.session.run("close chronicle_validation");
  }

  /** Throws REPLAY_INVALID_ROWS with the records, the first 100 of them by id. */
  refuse(): void {
    if (this.#count === 0) return;
    const [first] = this.#invalid;
    throw new EventLogError(
      "REPLAY_INVALID_ROWS",
      `${this.#count} rebuilt rows do not pass the decorators of their entities; the first is a ${first?.entity}, by ${first?.properties.join(", ")}.`,
      { details: { count: this.#count, rows: this.#invalid } },
    );
  }

  async #checkRow(table: FoldTable, row: Record<string, unknown>): Promise<void> {
    const entity = entityOf(this.dataSource, table, row, true);
    const errors = await this.validate(entity, { forbidUnknownValues: false });
    if (errors.length === 0) return;
    this.#count++;
    if (this.#invalid.length >= reported) return;
    this.#invalid.push({
      entity: table.entity,
      recordId: Object.fromEntries(table.keyColumns.map((name) => [name, row[name]])),
      properties: errors.flatMap((error) => propertiesOf(error)),
    });
  }
}

function propertiesOf({ property, children = [] }: ValidationError): string[] {
  if (children.length === 0) return [property];
  return children.flatMap((child) => propertiesOf(child)).map((name) => `${property}.${name}`);
}
