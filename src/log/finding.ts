import { EventLogError, type EventLogErrorCode } from "../core/errors.js";

/** Something that keeps the log from being complete or in order, in a sentence. */
export interface Finding {
  readonly code: Extract<EventLogErrorCode, "NOT_INSTALLED" | "INSTALL_STALE" | "CAPTURE_IMPAIRED">;
  /** `check()` throws for an error; a warning is for a person to judge. */
  readonly severity: "error" | "warning";
  readonly message: string;
  /** The way out, where it is not that of the code. */
  readonly hint?: string | undefined;
}

/** Throws the first error's code with every finding's sentence; nothing for warnings alone. */
export function refuse(findings: readonly Finding[]): void {
  const first = findings.find(({ severity }) => severity === "error");
  if (first === undefined) return;
  throw new EventLogError(first.code, findings.map(({ message }) => message).join(" "), {
    hint: findings.find(({ code, hint }) => code === first.code && hint !== undefined)?.hint,
    details: { findings },
  });
}
