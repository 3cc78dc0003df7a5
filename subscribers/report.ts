import type { Link } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import type { Uncaptured } from "../src/core/options.js";
import { shapeOf } from "./sql-text.js";

/** Says that a write is not recorded, as the `uncaptured` option wants it said. Throws WRITE_NOT_CAPTURED for "error". */
export type ReportUncaptured = (text: string, entities: readonly string[], because: string) => void;

export function reporter(link: Link, policy: Uncaptured): ReportUncaptured {
  return (text, entities, because) => {
    const shape = shapeOf(text);
    const isFirst = link.uncaptured.add(shape, entities);
    const what = `of ${entities.join(", ")}, since ${because}: ${shape}`;
    if (policy === "error") {
      throw new EventLogError("WRITE_NOT_CAPTURED", `The entity subscriber cannot record this write ${what}.`, {
        details: { entities, shape },
      });
    }
    if (policy === "warn" && isFirst)
      link.dataSource?.logger.log("warn", `typeorm-chronicle does not record a write ${what}`);
  };
}
