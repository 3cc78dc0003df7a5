import { hostname } from "node:os";
import type { DataSource, EntityManager, QueryRunner } from "typeorm";
import { customSink } from "../sinks/custom.js";
import { databaseSink } from "../sinks/database.js";
import { fileSink } from "../sinks/file.js";
import type { CheckedSink } from "../sinks/options.js";
import type { Sink } from "../sinks/sink.js";
import { webhookSink } from "../sinks/webhook.js";
import type { Severity } from "../../entities/activity.js";
import { attachmentOf } from "../core/attachment.js";
import { checkOptions } from "../core/option-checker.js";
import { asWriter } from "../core/rights.js";
import type { Session } from "../core/session.js";
import { Alerts, ownCategory } from "./alerts.js";
import { Connection } from "./connection.js";
import { type ActivityEntry, type ActivityInput, recordNowInput, type RecordNowInput } from "./entry.js";
import { EntryMaker } from "./entry-maker.js";
import { type Dropped, Lane } from "./lane.js";
import type { Alert } from "./alert-options.js";
import type { CheckedActivityOptions } from "./options.js";
import { selectionOf, unknownWarner } from "./selection.js";
import { Spool } from "./spool.js";
import { SpooledLane } from "./spooled-lane.js";
import type { Unreadable } from "./stored-file.js";
import { recordEntries } from "./table.js";
import { type Lost, Writer } from "./writer.js";

/** What records the activity of one DataSource: entries are made here and handed to the sinks, each by a lane of its own. */
export class Recorder {
  readonly options: CheckedActivityOptions;
  readonly maker: EntryMaker;
  readonly connection: Connection;
  readonly lanes: readonly Lane[];
  readonly #dataSource: DataSource;
  readonly #schema: string;
  readonly #writer: Writer;
  readonly #alerts: Alerts;
  readonly #selects: ReturnType<typeof selectionOf>;
  readonly #warnOfUnknown: ReturnType<typeof unknownWarner>;
  readonly #database: Lane | SpooledLane | undefined;
  readonly #others: readonly Lane[];
  /** Written in transactions that are still open. */
  readonly #open = new WeakMap<QueryRunner, ActivityEntry[]>();
  #lost = 0;
  #isFirst = true;

  constructor(dataSource: DataSource) {
    const { activity, schema } = attachmentOf(dataSource);
    this.options = activity as CheckedActivityOptions;
    this.#dataSource = dataSource;
    this.#schema = schema;
    this.#writer = new Writer(schema, this.options.queue);
    this.maker = new EntryMaker(this.options);
    this.connection = new Connection(dataSource);
    this.#alerts = new Alerts(this.options.rules, this.maker);
    this.#selects = selectionOf(this.options);
    this.#warnOfUnknown = unknownWarner(this.options, (message) =>
      process.emitWarning(message, { code: "CHRONICLE_ACTIVITY" }),
    );
    const sinks = this.options.sinks.map((option, index) => this.#sinkOf(option, index));
    this.lanes = sinks.map((sink) => this.#laneOf(sink));
    const database = this.lanes.find(({ name }) => name === "database");
    this.#others = this.lanes.filter((lane) => lane !== database);
    const { spool } = this.options;
    this.#database =
      spool === undefined || database === undefined
        ? database
        : new SpooledLane(database, new Spool(spool, this.options.secret), (found) => this.#unreadable(found));
  }

  get hasDatabase(): boolean {
    return this.#database !== undefined;
  }

  get spooled(): SpooledLane | undefined {
    return this.#database instanceof SpooledLane ? this.#database : undefined;
  }

  /** Entries that could not even be made, or that no queue had room for. */
  get dropped(): number {
    return this.lanes.reduce((sum, { droppedInAll }) => sum + droppedInAll, this.#lost);
  }

  record(action: string, input?: ActivityInput, source?: "server" | "client"): void {
    try {
      if (this.#isWanted(action, input)) this.put(this.maker.make(action, input, source));
    } catch {
      this.#lost++;
    }
  }

  /** Hands an entry to every sink, whatever the options leave out. */
  put(entry: ActivityEntry): void {
    // The first is written at once: from then on, others know of this process. A failed sign-in too, whatever alerts there are:
    // another process may ask for it before the next one.
    const soon = this.#isFirst || this.#isFailedSignIn(entry) || this.#alerts.counts(entry);
    this.#isFirst = false;
    if (this.#database !== undefined) handOver(this.#database, entry, soon);
    this.#toOthers(entry);
  }

  async recordNow(action: string, given: RecordNowInput = {}): Promise<ActivityEntry | undefined> {
    const { within, ...input } = checkOptions("recordNow", given, recordNowInput);
    if (!this.#isWanted(action, input)) return undefined;
    const entry = this.maker.make(action, input);
    if (within !== undefined) await this.#writeWithin(within, entry);
    else {
      if (this.#database !== undefined) {
        const raised = await asWriter(
          this.#dataSource,
          this.connection.run((session) => this.#alerts.write(session, this.#schema, [entry])),
        );
        this.#tell(raised);
      }
      this.#toOthers(entry);
    }
    return entry;
  }

  async #writeWithin(manager: EntityManager, entry: ActivityEntry): Promise<void> {
    const queryRunner = manager.queryRunner as QueryRunner; // its transaction is open, as the options say
    const { text, values } = recordEntries(this.#schema, [entry]);
    await asWriter(this.#dataSource, manager.query(text, [...values]));
    this.#open.set(queryRunner, [...(this.#open.get(queryRunner) ?? []), entry]);
  }

  /** The transaction has ended: what was written in it is counted and told, or never was. */
  transactionEnded(queryRunner: QueryRunner, isCommitted: boolean): void {
    if (queryRunner.isTransactionActive) return; // a savepoint
    const entries = this.#open.get(queryRunner);
    if (entries === undefined) return;
    this.#open.delete(queryRunner);
    if (!isCommitted) return;
    for (const entry of entries) this.#toOthers(entry);
    this.connection
      .run((session) => this.#alerts.afterwards(session, this.#schema, entries))
      .then(
        (raised) => this.#tell(raised),
        () => undefined, // counted again with the next entry
      );
  }

  /** Writes all that waits. False where a sink failed. */
  async flush(): Promise<boolean> {
    const lanes = [...this.#others, ...(this.#database === undefined ? [] : [this.#database])];
    return (await Promise.all(lanes.map((lane) => lane.flush()))).every(Boolean);
  }

  /** The same for the database alone: what reading waits for. */
  async flushDatabase(): Promise<void> {
    await this.#database?.flush();
  }

  /** Nothing waits and nothing will come: see Writer. */
  async farewell(): Promise<void> {
    if (this.#database === undefined || this.#database.length > 0) return;
    await this.connection.run((session) => this.#writer.farewell(session));
    this.#isFirst = true;
  }

  /** Says that this process is alive, and tells of those that are not and said no farewell: an entry for each. */
  async tellOfLost(session: Session): Promise<void> {
    const entries = await session.transaction(async () => {
      await this.#writer.beat(session);
      return (await this.#writer.takeLost(session)).map((one) => this.#lostBy(one));
    });
    for (const entry of entries) this.#toOthers(entry);
  }

  #isFailedSignIn({ outcome, action }: ActivityEntry): boolean {
    return outcome === "failure" && this.options.signInActions.includes(action);
  }

  #isWanted(action: string, input: ActivityInput | undefined): boolean {
    const strategy = input?.strategy ?? null;
    if (!this.options.enabled || !this.#selects(action, strategy)) return false;
    this.#warnOfUnknown(action, strategy);
    return true;
  }

  #toOthers(entry: ActivityEntry, soon = false): void {
    for (const lane of this.#others) handOver(lane, entry, soon);
  }

  #tell(alerts: readonly Alert[]): void {
    for (const alert of alerts) {
      this.#toOthers(alert.entry, true);
      // A callback of the application's: whatever it throws is its own.
      void (async () => this.options.onAlert?.(alert))().catch((error: unknown) =>
        process.emitWarning(`onAlert failed: ${String(error)}`, { code: "CHRONICLE_ACTIVITY" }),
      );
    }
  }

  #sinkOf(option: CheckedSink, index: number): Sink {
    if (option === "database") {
      // With a spool nothing is lost, and nothing is to be told.
      const writer = this.options.spool === undefined ? this.#writer : undefined;
      return databaseSink(this.connection, this.#schema, this.#alerts, writer, (raised) => this.#tell(raised));
    }
    if (typeof option === "function") return customSink(option.name || `sink ${index + 1}`, option);
    if ("file" in option) return fileSink(option.file);
    return "webhook" in option
      ? webhookSink(option.webhook)
      : customSink(option.name, (entries) => option.write(entries));
  }

  #laneOf(sink: Sink): Lane {
    const { batch, queue } = this.options;
    let isTold = false;
    const lane = new Lane(sink, {
      batch,
      queue,
      gap: (dropped) => this.#gap(dropped),
      onError: (error) => {
        if (!isTold)
          process.emitWarning(
            `The activity log's sink ${sink.name} fails: ${messageOf(error)}. What waits is kept and tried again.`,
            { code: "CHRONICLE_ACTIVITY" },
          );
        isTold = true;
      },
    });
    lane.onDone = () => (isTold = false);
    return lane;
  }

  #gap({ sink, count, from, to }: Dropped): ActivityEntry {
    return this.#gapEntry("error", { sink, dropped: count, from, to, node: hostname() });
  }

  /** The entry that the database has already, for the other sinks. */
  #lostBy({ id, node, seenAt, atLeast, atMost }: Lost): ActivityEntry {
    const details = { sink: "database", lost: { atLeast, atMost }, from: seenAt, to: new Date(), node };
    return { ...this.#gapEntry(atLeast > 0 ? "error" : "warning", details), id };
  }

  #unreadable({ id, ...unreadable }: Unreadable): ActivityEntry {
    const entry = { ...this.#gapEntry("error", { sink: "database", unreadable, node: hostname() }), id };
    this.#toOthers(entry);
    return entry;
  }

  #gapEntry(severity: Severity, details: object): ActivityEntry {
    return this.maker.make("gap", {
      category: ownCategory,
      severity,
      actor: null,
      tenant: null,
      request: null,
      correlationId: null,
      causationId: null,
      details,
    });
  }
}

function handOver(lane: Lane | SpooledLane, entry: ActivityEntry, soon: boolean): void {
  if (!lane.push(entry, { soon })) lane.drop(entry);
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}
