import type { Link } from "../src/core/attachment.js";
import type { CheckedOptions } from "../src/core/options.js";
import type { Step } from "./connection.js";
import { Gate } from "./gate.js";
import { reporter } from "./report.js";
import { begin } from "./steps/begin.js";
import { confirm } from "./steps/confirm.js";
import { flush } from "./steps/flush.js";
import { limitContext } from "./steps/limit-context.js";
import { lockFirst } from "./steps/lock-first.js";
import { note } from "./steps/note.js";
import { tell } from "./steps/tell.js";

/** What statements go through, in this order. */
export function stepsOf(options: CheckedOptions, link: Link): readonly Step[] {
  const gate = new Gate(options.schema);
  const report = reporter(link, options.uncaptured);
  if (options.capture === "subscriber")
    return [limitContext(options.limits), begin(gate), note(link, report), flush(options, report)];
  const locks = options.lock.mode === "exclusive" ? [lockFirst(gate, options.schema)] : [];
  return [
    limitContext(options.limits),
    begin(gate),
    ...locks,
    tell(gate, options.context),
    confirm(options.schema, link),
  ];
}
