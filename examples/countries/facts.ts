import type {
  ActivityEntry,
  ActivitySummary,
  RecordedEvent,
  ReplayReport,
  UncapturedWrite,
  VerifyReport,
} from "../../src/index.js";
import type { Attempt, Fingerprint } from "./proof.js";
import type { ActorCount, OldVersion, WrittenCount } from "./reading.js";
import type { Spoiled } from "./spoil.js";

/** Tables as plain SQL read them when the point was noted, and after the replay to it. */
export type Proof = readonly [point: string, noted: readonly Fingerprint[], replayed: readonly Fingerprint[]];

/** What the demo found out, chapter by chapter. */
export interface Facts {
  readonly imported: {
    readonly rows: Readonly<Record<string, number>>;
    readonly events: number;
    readonly durationMs: number;
  };
  readonly migrated: { readonly migrations: readonly string[]; readonly versionOneEvents: number };
  readonly written: {
    readonly ways: readonly WrittenCount[];
    readonly actors: readonly ActorCount[];
    readonly durationMs: number;
  };
  /** Under subscriber capture only. */
  readonly uncaptured: {
    readonly writes: readonly UncapturedWrite[];
    readonly found: VerifyReport;
    /** How many rows of each entity differ from the log. */
    readonly differing: Readonly<Record<string, number>>;
    /** Of these, entities of which nothing was reported. */
    readonly unreported: readonly string[];
    /** Why the log's end cannot be replayed; null where it can. */
    readonly refusal: string | null;
    /** To the import. */
    readonly replay: ReplayReport;
  };
  readonly requests: { readonly lastEvents: readonly RecordedEvent[] };
  readonly history: { readonly name: string; readonly events: readonly RecordedEvent[] };
  readonly sensitive: {
    /** Updates of contacts, all of which changed the e-mail address and nothing else. */
    readonly updates: readonly RecordedEvent[];
    /** Events, of any entity, in which an e-mail address can be read. */
    readonly leaks: number;
  };
  readonly versions: { readonly old: readonly OldVersion[] };
  readonly appendOnly: { readonly attempts: readonly Attempt[] };
  readonly replayed: {
    readonly middle: ReplayReport;
    readonly end: ReplayReport;
    readonly proof: readonly Proof[];
  };
  readonly mended: {
    readonly spoiled: readonly Spoiled[];
    readonly found: VerifyReport;
    readonly replay: ReplayReport;
    readonly after: VerifyReport;
    readonly tables: readonly Fingerprint[];
    readonly nextId: { readonly highest: number; readonly next: number };
  };
  readonly signedIn: {
    /** One person's sign-in and what was written in that request. */
    readonly session: { readonly entry: ActivityEntry; readonly events: readonly RecordedEvent[] };
    /** Attempts on one account, until the check refused them. */
    readonly attack: { readonly failures: number; readonly refused: number };
    readonly alerts: readonly ActivityEntry[];
    readonly summary: ActivitySummary;
    readonly exported: { readonly file: string; readonly entries: number; readonly leaks: number };
  };
  readonly closing: { readonly differences: readonly string[]; readonly durationMs: number };
}
