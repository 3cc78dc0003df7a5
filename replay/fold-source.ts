import type { Statement } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import type { Plan } from "./plan.js";

/** What is folded. */
export interface FoldSource {
  readonly schema: string;
  readonly cut: Cut;
  readonly plan: Plan;
  /** The table of changes that stand in for events of old versions. */
  readonly staged: string;
  /** SQL over an event `e`: only these. (Default: all) */
  readonly only?: Statement | undefined;
  /** In how many parts records are folded, each by a process of its own where Postgres has them. (Default: 1) */
  readonly parts?: number | undefined;
  /** As the events up to the cut have it: not what later DDL made of a value. (Default: false) */
  readonly asRecorded?: boolean;
}
