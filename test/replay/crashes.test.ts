import { expect } from "chai";
import { killReplayingProcesses, stopServers } from "./crashes.js";

describe("a replay that is cut off", function () {
  this.timeout(240_000);

  it("leaves live as it was, or as it was to be, when its process is killed", async () => {
    const { crashes, failures } = await killReplayingProcesses({ kills: 3 });
    expect(failures).to.deep.equal([]);
    expect(crashes).to.equal(3);
  });

  it("leaves live as it was, or as it was to be, when PostgreSQL is stopped at once", async function () {
    if (process.platform === "win32") this.skip();
    const { crashes, failures } = await stopServers({ stops: 2 });
    expect(failures).to.deep.equal([]);
    expect(crashes).to.equal(2);
  });
});
