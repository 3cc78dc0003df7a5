import type { Attachment } from "../core/attachment.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { Finding } from "./finding.js";

/** Tries whether the log believes this process's signature, and compares what they require. */
export async function signingFindings(session: Session, { schema, options }: Attachment): Promise<Finding[]> {
  const { sign, emptyContext, pooler, requireSigned } = options.context;
  const sent = sign?.(emptyContext, pooler ? "" : session.processID) ?? Buffer.from("{}").toString("base64");
  const row = await session.row(sql`
    select i.require_signed as required, ${raw(schema)}.try_signature(${sent}) as tried
    from ${raw(schema)}.installation i`);
  const { signedBy, fault } = JSON.parse(row?.tried ?? "{}") as { signedBy?: string; fault?: string };
  const isRequired = row?.required === "t";
  if (fault !== undefined)
    return [
      {
        code: "INSTALL_STALE",
        severity: "error",
        message: `What this process writes ${isRequired ? "is refused" : "has no actor"}: ${fault}.`,
        hint:
          "Give this process a `context.key` that the log knows; its install() would change the keys for all " +
          "(docs/options.md, context).",
      },
    ];
  if (sign !== undefined && signedBy === undefined)
    return [
      {
        code: "INSTALL_STALE",
        severity: "warning",
        message: "This process signs request contexts, and the log checks no signatures yet.",
      },
    ];
  if (requireSigned === true && !isRequired)
    return [
      {
        code: "INSTALL_STALE",
        severity: "error",
        message: "This process has `context.requireSigned`, and the log takes writes whose context is not signed.",
      },
    ];
  return [];
}
