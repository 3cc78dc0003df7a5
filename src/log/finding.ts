import { EventLogError, type EventLogErrorCode } from "../core/errors.js";

/** Something that keeps the log from being complete or in order, in a sentence. */
export interface Finding {
  readonly code: Extract<
    EventLogErrorCode,
    "NOT_INSTALLED" | "INSTALL_STALE" | "CAPTURE_IMPAIRED" | "ROWS_HIDDEN" | "RIGHTS_UNEXPECTED" | "LOG_LOCKED"
  >;
  /** `check()` throws for an error; for a warning only if it is strict. */
  readonly severity: "error" | "warning";
  readonly message: string;
  /** The way out, where it is not that of the code. */
  readonly hint?: string | undefined;
}

/** Throws the first error's code with every finding's sentence; for warnings alone only if it is strict. */
export function refuse(findings: readonly Finding[], { strict = false }: { strict?: boolean } = {}): void {
  const first = findings.find(({ severity }) => severity === "error") ?? (strict ? findings[0] : undefined);
  if (first === undefined) return;
  throw new EventLogError(first.code, findings.map(({ message }) => message).join(" "), {
    hint: findings.find(({ code, hint }) => code === first.code && hint !== undefined)?.hint,
    details: { findings },
  });
}
