import {
  type BeforeQueryEvent,
  type DataSource,
  type EntityMetadata,
  EventSubscriber,
  type InsertEvent,
  type QueryRunner,
  type RecoverEvent,
  type RemoveEvent,
  type SoftRemoveEvent,
  type UpdateEvent,
} from "typeorm";
import { attachmentOf, isAttached } from "../src/core/attachment.js";
import { capturedTables } from "./captured-tables.js";
import { transactionOf } from "./client.js";
import { ChronicleSubscriber } from "./event-subscriber.js";
import { judge } from "./judge.js";
import type { Notes } from "./notes.js";
import { reporter } from "./report.js";

/** What the hooks of an event have in common. */
interface Shown {
  readonly dataSource: DataSource;
  readonly queryRunner: QueryRunner;
  readonly metadata: EntityMetadata;
  readonly entity?: unknown;
  readonly databaseEntity?: unknown;
  readonly entityId?: unknown;
}

/**
 * The subscriber of `capture: "subscriber"`: it notes, for save, remove, softRemove and recover, that a row of a table is about to
 * be written, and runs no query. The Client takes the statement's keys from the database and records them at the commit.
 * Hooks of query builders by criteria show no row, and are told apart by what they lack.
 */
@EventSubscriber()
export class CapturingSubscriber extends ChronicleSubscriber {
  override beforeQuery(event: BeforeQueryEvent): Promise<void> | void {
    const { dataSource } = event;
    if (!isAttached(dataSource.options)) return undefined;
    const { options, link } = attachmentOf(dataSource);
    const asked = super.beforeQuery(event);
    return options.uncaptured === "error" ? this.#refuse(event, asked, reporter(link, "error")) : asked;
  }

  beforeInsert(event: InsertEvent<unknown>): Promise<void> | void {
    return changeNotes(event, "show");
  }

  afterInsert(event: InsertEvent<unknown>): Promise<void> | void {
    return changeNotes(event, "conceal");
  }

  beforeUpdate(event: UpdateEvent<unknown>): Promise<void> | void {
    const { entity, databaseEntity }: Shown = event;
    return entity !== undefined && databaseEntity === undefined ? undefined : changeNotes(event, "show");
  }

  afterUpdate(event: UpdateEvent<unknown>): Promise<void> | void {
    return changeNotes(event, "conceal");
  }

  beforeRemove(event: RemoveEvent<unknown>): Promise<void> | void {
    return this.#beforeRemove(event);
  }

  afterRemove(event: RemoveEvent<unknown>): Promise<void> | void {
    return this.#afterRemove(event);
  }

  beforeSoftRemove(event: SoftRemoveEvent<unknown>): Promise<void> | void {
    return this.#beforeRemove(event);
  }

  afterSoftRemove(event: SoftRemoveEvent<unknown>): Promise<void> | void {
    return this.#afterRemove(event);
  }

  beforeRecover(event: RecoverEvent<unknown>): Promise<void> | void {
    return this.#beforeRemove(event);
  }

  afterRecover(event: RecoverEvent<unknown>): Promise<void> | void {
    return this.#afterRemove(event);
  }

  #beforeRemove(event: Shown): Promise<void> | void {
    return isByCriteria(event) ? undefined : changeNotes(event, "show");
  }

  #afterRemove(event: Shown): Promise<void> | void {
    return isByCriteria(event) ? undefined : changeNotes(event, "conceal");
  }

  /** The Client refuses too; here the error reaches the application as it is, not inside TypeORM's own. */
  async #refuse(
    { dataSource, queryRunner, query }: BeforeQueryEvent,
    asked: Promise<void> | void,
    report: ReturnType<typeof reporter>,
  ): Promise<void> {
    await asked;
    const transaction = transactionOf((await queryRunner.connect()) as object);
    if (transaction === undefined) return;
    for (const judgement of judge(dataSource, query, transaction))
      if (judgement.kind === "uncaptured") report(query, judgement.entities, judgement.because);
  }
}

function isByCriteria({ entity, databaseEntity, entityId }: Shown): boolean {
  return entity === undefined && databaseEntity === undefined && entityId === undefined;
}

/** The table of the row, and the closure table that TypeORM keeps in step with it without a hook of its own. */
function changeNotes(
  { dataSource, queryRunner, metadata, entity }: Shown,
  how: "show" | "conceal",
): Promise<void> | void {
  if (!isAttached(dataSource.options)) return undefined;
  const { byPath } = capturedTables(dataSource);
  const paths = [metadata.tablePath, metadata.closureJunctionTable?.tablePath ?? ""];
  const tables = paths.flatMap((path) => byPath.get(path) ?? []);
  return tables.length === 0
    ? undefined
    : change(queryRunner, (notes) => tables.forEach((table) => notes[how](table, entity)));
}

async function change(queryRunner: QueryRunner, by: (notes: Notes) => void): Promise<void> {
  const transaction = transactionOf((await queryRunner.connect()) as object);
  if (transaction !== undefined) by(transaction.notes);
}
