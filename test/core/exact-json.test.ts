import { expect } from "chai";
import { parseExactly } from "../../src/core/exact-json.js";

describe("JSON parsed exactly", () => {
  it("gives a number that JavaScript would round or lose as a string of its digits", () => {
    for (const digits of [
      "9007199254740993",
      "-9007199254740993",
      "0.12345678901234567890",
      "1e400",
      "1e-400",
      "1".repeat(40),
    ]) {
      expect(parseExactly(`{"n":${digits},"deep":[[${digits}]]}`)).to.deep.equal({ n: digits, deep: [[digits]] });
    }
  });

  it("leaves every number that it can hold a number", () => {
    const numbers = [
      "0.30000000000000004",
      "9007199254740992",
      "1000000000000000000000",
      "1.5e300",
      "-0",
      "0",
      "12.50",
      "1E5",
      "1180591620717411303424",
      "-1180591620717411303424",
      "123456789012345e10",
      "1.23456789012345e5",
      "0.0000000000000000000123",
      "0.5000000000000000000000",
    ];
    for (const number of numbers)
      expect(parseExactly(`[${number}, 1234567890123456]`)).to.deep.equal([Number(number), 1234567890123456]);
  });

  it("takes nothing in a string or a key for a number", () => {
    const text = 'a "quoted" 12345678901234567890 \\ end\\';
    const document = { [text]: text, "9007199254740993": "", list: [text, "\\\\", '"'] };
    expect(parseExactly(JSON.stringify(document))).to.deep.equal(document);
    const long = `${'"'.repeat(1_000)}${"\\".repeat(1_001)}`.repeat(200);
    expect(parseExactly(JSON.stringify([long, 9_007_199_254_740_991]))).to.deep.equal([long, 9_007_199_254_740_991]);
  });
});
