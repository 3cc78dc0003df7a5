import { EventLogError } from "../../src/core/errors.js";
import type { CheckedOptions } from "../../src/core/options.js";
import { sendableContext } from "../../src/core/request-context.js";
import type { Step } from "../connection.js";

/** Refuses statements whose request context is larger or deeper than it may be. */
export function limitContext({ metadataBytes, depth: deepest }: CheckedOptions["limits"]): Step {
  return () => {
    const json = sendableContext()?.json;
    if (json === undefined) return undefined;
    if (json.bytes > metadataBytes) {
      throw new EventLogError(
        "LIMIT_EXCEEDED",
        `The request context has ${json.bytes} bytes, more than limits.metadataBytes (${metadataBytes}).`,
      );
    }
    if (json.depth > deepest) {
      throw new EventLogError(
        "LIMIT_EXCEEDED",
        `The request context is nested ${json.depth} levels deep, more than limits.depth (${deepest}).`,
      );
    }
    return undefined;
  };
}
