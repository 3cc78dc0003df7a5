import { expect } from "chai";
import { replayUnderWriters, twoReplaysAtOnce } from "./under-load.js";

describe("replay into live tables under load", function () {
  this.timeout(180_000);

  it("gets through under writers, none of which fails because of it, and keeps what never changes", async () => {
    const { replays, commits, failures } = await replayUnderWriters({ replays: 8, writers: 8 });
    expect(failures).to.deep.equal([]);
    expect(replays).to.equal(8);
    expect(commits).to.be.greaterThan(50);
  });

  it("refuses one of two at once, every time", async () => {
    expect(await twoReplaysAtOnce(5)).to.equal(5);
  });
});
