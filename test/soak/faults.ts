import { Campaign, type Fault } from "../crashes/campaign.js";
import { expectThat, type Part } from "./part.js";

const progressWithinMs = 5_000;
const shareInTransaction = 0.3;

/** One kind of fault, on writers and a cluster of its own. */
export function faultsOf(fault: Fault, counts: Pick<Part, "full" | "round">): Part {
  return {
    ...counts,
    async run(times, { onProgress }) {
      const campaign = await Campaign.start();
      try {
        const { struck, inTransaction, slowestMs } = await campaign.strike(fault, times, onProgress);
        await campaign.prove();
        expectThat(
          inTransaction >= struck * shareInTransaction,
          `${inTransaction} of ${struck} hit an open transaction: too few to prove anything`,
        );
        expectThat(slowestMs <= progressWithinMs, `${slowestMs} ms passed before the next commit`);
        return {
          "in an open transaction": inTransaction,
          "ms to the next commit at most": slowestMs,
          ...campaign.ledger.counts,
        };
      } finally {
        await campaign.stop();
      }
    },
  };
}
