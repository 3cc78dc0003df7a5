/** What went wrong, as a word that never changes. docs/errors.md has a section per code. */
export type EventLogErrorCode = keyof typeof hints;

/**
 * The way out for each code, unless the place that throws knows a better one.
 * A code is never reused for something else.
 */
const hints = {
  OPTIONS_INVALID: "Correct the options named in the message; docs/options.md lists all of them.",
  DATABASE_UNSUPPORTED: 'Use a DataSource of type "postgres" with the pg driver, PostgreSQL 14 or later.',
  NOT_INSTALLED: "Run `await eventLog(dataSource).install()` once per deploy, before the application writes.",
  INSTALL_STALE: "Run `await eventLog(dataSource).install()` again with the code that is being deployed.",
  CAPTURE_IMPAIRED: "Remove what the message names; `verify()` tells whether the log missed something.",
  RIGHTS_UNEXPECTED: "Run `install()`, which takes such rights back; revoke memberships by hand (docs/hardening.md).",
  INSTALL_LOCK_TIMEOUT: "What is done stays. Run `install()` again when there are fewer long transactions.",
  UNINSTALL_REFUSED: "Export and delete the log by hand, `drop schema ... cascade`, if its history is really to go.",
  NOT_ATTACHED: "Create the DataSource with `new DataSource(withEventLog({ ... }))`.",
  NOT_TRACKED: "Decorate the entity with `@Tracked()` and run `install()`.",
  NOT_OWNER: "Run it as the role that owns the tables and the log.",
  OTHER_OWNER: "Give the table and its types to the role that owns the log, then `install()`.",
  ROWS_HIDDEN:
    "Give the role that owns the log BYPASSRLS, or give it the table without FORCE ROW LEVEL SECURITY, " +
    "or disable row level security on it.",
  NOT_READER: "Run `install({ grantReadTo: role })` as the role that owns the log, or read as that role.",
  NOT_WRITER: "Run `install({ grantTo: role })` as the role that owns the log, or write as that role.",
  FILE_REFUSED: "Name a folder that belongs to the user of this process and that nobody else may write to.",
  ACTOR_REQUIRED: "Make the write inside `withRequestContext({ actor: { type, id } }, ...)`.",
  CONTEXT_UNSIGNED:
    "Give withEventLog the `context.key` that install() was given; docs/hardening.md lists the other causes.",
  CONTEXT_INVALID: "Keep the request context to plain JSON values.",
  LOG_LOCKED: "Try again; end the session that holds the lock (`status().holders`), or raise `lock.timeoutMs`.",
  LIMIT_EXCEEDED: "Make the value smaller, or raise the limit in the `limits` option.",
  COLUMN_TYPE_UNSUPPORTED: "Exclude the column with `@Tracked({ exclude: [...] })` or change its type.",
  WRITE_NOT_CAPTURED: "Use a repository method that subscribers can see, or trigger capture.",
  UNKNOWN_COLUMN: "Return column names of the table, as the database spells them.",
  ERASE_REFUSED: "Mark the column with `@Sensitive()`, with `{ erased: value }` where it may not be null.",
  BOOKMARK_EXISTS: "Choose another name; a bookmark is never moved.",
  REPLAY_IN_PROGRESS: "Wait for the other replay to end, then try again.",
  REPLAY_LOCK_TIMEOUT: "Try again when there are fewer long transactions, or raise `lockTimeoutMs`.",
  REPLAY_ABORTED: "Nothing was changed; run it again when you want to.",
  REPLAY_VERSION_UNHANDLED: "Give `replay.upcasters` or `replay.overrides` a way for each version listed.",
  VALUE_NOT_CASTABLE:
    "Ask for a point after the change, or raise the entity's version and say by an upcaster " +
    "what older values become (docs/guides/changing-an-entitys-shape.md).",
  COLUMN_WITHOUT_PLACE:
    "Raise the entity's version and give an upcaster that says where the value belongs " +
    "(docs/guides/changing-an-entitys-shape.md).",
  REPLAY_RECORD_MISSING: "Run `verify()`; a create event is missing before this one.",
  REPLAY_OVERRIDE_FAILED: "Correct the override; the tables are as they were.",
  REPLAY_UNKNOWN_ROWS: 'Run `baseline()` first, or pass `unknownRows: "keep"` or `"delete"`.',
  REPLAY_BLOCKED_BY_REFERENCES: "Remove or move the rows of the untracked tables named in the message first.",
  REPLAY_CROSSES_ENTITIES: "Replay both entities, or leave `entities` out.",
  REPLAY_CROSSES_TENANT: "Replay without `tenant`, or keep overrides inside one tenant.",
  REPLAY_INVALID_ROWS: "Correct what makes these rows, or look at them with `shadow()`.",
  POINT_IN_TIME_UNKNOWN:
    "Ask for a time, as a Date or in ISO 8601 with an offset, a position or a bookmark that the log holds.",
  POINT_IN_TIME_AMBIGUOUS: "Pass one of the positions listed, or a bookmark, in place of the time.",
} as const;

/** The HTTP status of errors that pass by themselves: the server could not answer just now. */
const statuses: { readonly [Code in EventLogErrorCode]?: number } = { LOG_LOCKED: 503 };

/**
 * The one error class of the library.
 *
 * `message` says what happened, `hint` the way out, `details` carries codes and keys for programs.
 * It never carries row contents or SQL parameters, so it is safe to log.
 */
export class EventLogError extends Error {
  readonly code: EventLogErrorCode;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The HTTP status to answer with, for errors that pass by themselves. */
  readonly status?: number;

  constructor(
    code: EventLogErrorCode,
    message: string,
    {
      hint = hints[code],
      details = {},
      cause,
    }: { hint?: string | undefined; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(`${message} ${hint}`, cause === undefined ? undefined : { cause });
    this.name = "EventLogError";
    this.code = code;
    this.hint = hint;
    this.details = details;
    const status = statuses[code];
    if (status !== undefined) this.status = status;
  }
}

/** Every code there is, for tests and tools that go through all of them. */
export const errorCodes = Object.keys(hints) as EventLogErrorCode[];
