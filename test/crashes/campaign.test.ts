import { expect } from "chai";
import { Campaign, type Fault } from "./campaign.js";

/** A small share of what `npm run soak -- --only crashes` does. */
const share: Readonly<Record<Fault, number>> = {
  "kill writer": 2,
  "stop server": 1,
  "kill backend": 1,
  "terminate backend": 3,
  cut: 3,
  "lose answer": 3,
};

describe("a fault under load", () => {
  let campaign: Campaign;
  before(async () => (campaign = await Campaign.start()));
  after(() => campaign?.stop());

  for (const [fault, times] of Object.entries(share) as [Fault, number][]) {
    it(`keeps what was acknowledged and nothing that failed: ${fault} (${times} times)`, async function () {
      this.timeout(300_000);
      expect((await campaign.strike(fault, times)).struck).to.equal(times);
    });
  }

  it("leaves a log whose fold is what the tables hold", async function () {
    this.timeout(120_000);
    await campaign.prove();
    const { acknowledged, failed } = campaign.ledger.counts;
    expect(acknowledged).to.be.greaterThan(100);
    expect(failed).to.be.greaterThan(0);
  });
});
