import { expect } from "chai";
import { costOfHotRecord } from "./hot-record.js";

describe("overrides of one record's many events", () => {
  it("take work that grows as their number does, in statements and in rows", async function () {
    this.timeout(60_000);
    const [half, all] = await costOfHotRecord({ overrides: 400 });
    expect(all.statements / half.statements).to.be.within(1.5, 2.1);
    expect(all.rows / half.rows).to.be.within(1.5, 2.1);
  });
});
