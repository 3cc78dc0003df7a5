import { expect } from "chai";
import { EventLogError } from "../../src/core/errors.js";
import { checkOptions, listOf, section, value } from "../../src/core/option-checker.js";
import { amount, integer, names, oneOf, trueOrFalse } from "../../src/core/option-kinds.js";
import { errorOf } from "../typed-errors.js";

const batch = section({ size: integer(1).byDefault(100), tags: names }).byDefault({});
const wanted = section({
  order: oneOf("asc", "desc").byDefault("asc"),
  limit: amount("events"),
  dryRun: trueOrFalse.byDefault(false),
  batch,
  rules: listOf("rules", section({ name: value("a name", (given) => typeof given === "string").required() })),
  secret: value("a secret", () => false, { isHidden: true }),
});
const read = (given: unknown) => checkOptions("call", given, wanted);
const refused = (given: unknown): string => errorOf(() => read(given)).message;

describe("the option checker", () => {
  it("fills defaults in, at every depth, and freezes all of it", () => {
    const options = read({ batch: { tags: ["a"] } });
    expect(options).to.deep.equal({ order: "asc", dryRun: false, batch: { size: 100, tags: ["a"] } });
    for (const part of [options, options.batch, options.batch.tags]) expect(Object.isFrozen(part)).to.equal(true);
  });

  it("keeps what was given when it was checked, whatever the caller changes afterwards", () => {
    const given = { order: "desc", batch: { tags: ["a"] } };
    const options = read(given);
    given.order = "up";
    given.batch.tags.push("b");
    expect(options).to.deep.include({ order: "desc" });
    expect(options.batch.tags).to.deep.equal(["a"]);
  });

  it("names an option that is mistyped, with the one that was meant or all that there are", () => {
    for (const [given, message] of [
      [{ limitt: 1 }, 'call: unknown option "limitt". Did you mean "limit"?'],
      [{ dryrun: true }, 'call: unknown option "dryrun". Did you mean "dryRun"?'],
      [{ batch: { sise: 1 } }, 'call: unknown option "batch.sise". Did you mean "batch.size"?'],
      [{ batch: { colour: 1 } }, 'call: unknown option "batch.colour". batch takes size, tags.'],
      [{ colour: undefined }, 'call: unknown option "colour". It takes order, limit, dryRun, batch, rules, secret.'],
    ] as const)
      expect(refused(given)).to.equal(message);
  });

  it("says what was expected and what was given, never what is in an object", () => {
    for (const [given, message] of [
      [{ order: "up" }, 'expected order to be "asc" or "desc", got: "up"'],
      [{ limit: Number.NaN }, "expected limit to be a number of events from 0, got: NaN"],
      [{ limit: 1n }, "expected limit to be a number of events from 0, got: 1n"],
      [{ limit: "1" }, 'expected limit to be a number of events from 0, got: "1"'],
      [{ dryRun: [[1n]] }, "expected dryRun to be true or false, got: a list"],
      [{ dryRun: { password: "x" } }, "expected dryRun to be true or false, got: an object"],
      [{ dryRun: new AbortController().signal }, "expected dryRun to be true or false, got: an AbortSignal"],
      [{ dryRun: "x".repeat(1_000) }, `got: "${"x".repeat(100)}…"`],
      [{ ["x".repeat(1_000)]: 1 }, `call: unknown option "${"x".repeat(100)}…". It takes order`],
      [{ dryRun: new Date() }, "expected dryRun to be true or false, got: a Date"],
      [{ batch: { size: 0 } }, "expected batch.size to be a positive integer, got: 0"],
      [{ batch: { tags: ["a", ""] } }, 'expected batch.tags[1] to be a name, got: ""'],
      [{ batch: null }, "expected batch to be an object, got: null"],
      [{ batch: [] }, "expected batch to be an object, got: a list"],
      [{ rules: [{}, undefined] }, "expected rules[0].name to be a name, got: undefined"],
      [{ rules: [undefined] }, "call: expected rules[0] to be an object, got: undefined. "],
      [{ secret: "hunter2" }, "expected secret to be a secret (it is not repeated here)"],
    ] as const)
      expect(refused(given)).to.include(message).and.not.include("hunter2").and.not.include("password");
  });

  it("refuses what is no object of options", () => {
    for (const [given, kind] of [
      [undefined, "undefined"],
      [null, "null"],
      [[], "a list"],
      ["on", '"on"'],
      [() => 1, "a function"],
      [Promise.resolve({}), "a Promise"],
      [new Map(), "a Map"],
    ] as const)
      expect(refused(given)).to.include(`call: expected the options to be an object, got: ${kind}. It takes order`);
  });

  it("refuses what stands on a prototype or behind a getter, which would be no option at all or another one later", () => {
    class Given {
      get order() {
        return "desc";
      }
    }
    const inherited = "expected order to be a value in the options, got: one of their prototype";
    expect(refused(new Given())).to.include(inherited);
    expect(refused(Object.create({ order: "desc" }))).to.include(inherited);
    expect(refused(JSON.parse('{"batch": {"__proto__": {"size": 1}}}'))).to.include('unknown option "batch.__proto__"');
    let asked = 0;
    const getter = {
      get order() {
        asked++;
        return "asc";
      },
    };
    expect(refused(getter)).to.include("expected order to be a value in the options, got: a getter");
    expect(asked).to.equal(0);
  });

  it("tells everything that is wrong at once, for people and for programs", () => {
    const error = errorOf(() => read({ order: 1, batch: { sise: 1, size: 0 } }));
    const findings = [
      'expected order to be "asc" or "desc", got: 1',
      'unknown option "batch.sise"',
      "expected batch.size to be a positive integer, got: 0",
    ];
    expect(error).to.be.instanceOf(EventLogError).with.property("code", "OPTIONS_INVALID");
    expect(error.details).to.deep.equal({ findings });
    expect(error.message).to.equal(`call: ${findings.join("; ")}. Did you mean "batch.size"?`);
  });
});
