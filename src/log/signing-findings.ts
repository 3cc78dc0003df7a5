import type { Attachment } from "../core/attachment.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { Finding } from "./finding.js";

/** Whether what this process sends is believed: with which key it signs, and which keys the log has. */
export async function signingFindings(session: Session, { schema, options }: Attachment): Promise<Finding[]> {
  const row = await session.row(sql`select to_jsonb(${raw(schema)}.context_keys()) as keys`);
  const known = JSON.parse(row?.keys ?? "[]") as string[];
  const [own] = options.context.keys;
  if (own === undefined ? known.length === 0 : known.includes(own.id)) return [];
  const finding = (severity: Finding["severity"], message: string): Finding[] => [
    { code: "INSTALL_STALE", severity, message },
  ];
  if (own === undefined)
    return finding(
      "error",
      `The log checks who signed a request context (${known.join(", ")}), and this process signs none: its events have no actor.`,
    );
  if (known.length === 0)
    return finding("warning", `This process signs with the key "${own.id}", and the log checks no signatures yet.`);
  return finding(
    "error",
    `This process signs with the key "${own.id}", and the log knows ${known.join(", ")}: its events have no actor.`,
  );
}
