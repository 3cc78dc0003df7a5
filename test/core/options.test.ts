import { expect } from "chai";
import { checkOptions as check, section } from "../../src/core/option-checker.js";
import { coreOptions } from "../../src/core/options.js";

const checkOptions = (given: unknown) => check("withEventLog", given, section(coreOptions));

describe("options", () => {
  it("have defaults, and are frozen with all that is in them", () => {
    const options = checkOptions({});
    expect(options).to.deep.include({
      capture: "trigger",
      schema: "chronicle",
      requireActor: false,
      limits: { metadataBytes: 65_536, dataBytes: 16_777_216, depth: 64 },
      clockSkewSeconds: 5,
    });
    expect(Object.isFrozen(options)).to.equal(true);
    expect(Object.isFrozen(options.limits)).to.equal(true);
    expect(() => Object.assign(options.limits, { depth: 1 })).to.throw(TypeError);
  });

  it("take undefined for what is not given, and keep the rest of a part", () => {
    const { limits, schema } = checkOptions({ schema: undefined, limits: { depth: 3, dataBytes: undefined } });
    expect(limits).to.deep.equal({ metadataBytes: 65_536, dataBytes: 16_777_216, depth: 3 });
    expect(schema).to.equal("chronicle");
  });

  it("are not those of another call", () => {
    checkOptions({ limits: { depth: 3 } });
    expect(checkOptions({}).limits.depth).to.equal(64);
  });

  it("do not take what stands on a prototype", () => {
    const given = JSON.parse('{"__proto__": {"requireActor": true}}') as object;
    expect(() => checkOptions(given)).to.throw(/__proto__/);
    expect(checkOptions({}).requireActor).to.equal(false);
  });
});
