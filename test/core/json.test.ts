import { expect } from "chai";
import { measuredJson } from "../../src/core/json.js";

describe("JSON that the database is told", () => {
  it("is what JSON.stringify gives, with its bytes and depth", () => {
    const value = { a: [1, { b: null }], date: new Date(0), skipped: undefined, text: "ü\n\"'" };
    const { text, bytes, depth } = measuredJson(value, "it");
    expect(text).to.equal(JSON.stringify(value));
    expect(bytes).to.equal(Buffer.byteLength(text));
    expect(depth).to.equal(3);
    expect(measuredJson({}, "it").depth).to.equal(1);
    expect(measuredJson(undefined, "it").text).to.equal("null");
  });

  it("takes one object in two places, which is no circle", () => {
    const shared = { a: 1 };
    expect(measuredJson([shared, { shared }], "it").text).to.equal('[{"a":1},{"shared":{"a":1}}]');
  });

  it("asks toJSON once, also where it gives itself back, and refuses what it gives", () => {
    class Itself {
      a = 1;
      toJSON() {
        return this;
      }
    }
    expect(measuredJson(new Itself(), "it").text).to.equal('{"a":1}');
    expect(() => measuredJson({ a: { toJSON: () => 1n } }, "it")).to.throw(/it\.a holds a bigint/);
  });

  it("carries a key called __proto__ and changes no prototype", () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}}') as object;
    expect(measuredJson(value, "it").text).to.equal('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}');
    expect(({} as { polluted?: boolean }).polluted).to.equal(undefined);
  });

  it("keeps letters outside the basic plane and refuses half of one", () => {
    expect(measuredJson(["😀"], "it").text).to.equal('["😀"]');
    expect(() => measuredJson({ a: ["\udc00x"] }, "it")).to.throw(/it\.a\[0\] holds a lone surrogate/);
  });
});
