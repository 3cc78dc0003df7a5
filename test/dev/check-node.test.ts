import { expect } from "chai";
import { checkNode } from "../../dev/bootstrap/check-node.mjs";

describe("the check of Node's version", () => {
  for (const version of ["20.19.0", "20.20.2", "22.13.1", "24.11.0", "25.0.0"]) {
    it(`takes ${version}`, () => checkNode(version));
  }
  for (const version of ["18.20.0", "20.18.9", "21.7.0", "22.12.0", "23.11.0", "24.10.0"]) {
    it(`refuses ${version}`, () => expect(() => checkNode(version)).to.throw(`and this is Node ${version}.`));
  }
});
