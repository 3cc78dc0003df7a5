import { expect } from "chai";
import { application } from "../replay/application.js";
import { seeded } from "../seeded.js";
import { pointsEntities, pointsLoad } from "./points-load.js";

describe("points in time under load", () => {
  const app = application({ entities: pointsEntities });

  it("are whole, and bookmarks are what a reader saw, where naive cuts are torn", async function () {
    this.timeout(240_000);
    const counts = await pointsLoad({
      url: app.url,
      dataSource: app.dataSource,
      writers: 16,
      transactions: 700,
      points: 15,
      bookmarks: 12,
      random: seeded(11),
    });
    const { ours, naivePosition, naiveTime } = counts;
    expect(ours).to.deep.equal({ cuts: ours.cuts, torn: 0, withoutCause: 0, orphans: 0, sums: 0 });
    expect(ours.cuts).to.be.greaterThan(30);
    expect(counts.unstable, "points that changed afterwards").to.equal(0);
    expect(counts.bookmarksWrong).to.equal(0);
    expect(counts.bookmarks).to.be.greaterThan(5);
    for (const naive of [naivePosition, naiveTime]) {
      expect(naive.torn, "naive cuts that are torn").to.be.greaterThan(0);
      expect(naive.sums, "naive cuts with another sum").to.be.greaterThan(0);
    }
    expect(counts.rolledBack).to.be.greaterThan(0);
    expect(counts.failed).to.be.greaterThan(0);
  });
});
