import { expect } from "chai";
import { terminateUnderWork } from "./sessions.js";

const times = 100;

describe("a backend that is terminated", () => {
  it(`does not bring the process down, whatever the library is doing on it (${times} times)`, async function () {
    this.timeout(120_000);
    expect(await terminateUnderWork(times), "work that was hit").to.be.greaterThan(times / 10);
  });
});
