import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { Sensitive, sensitiveOptions, track, Tracked, trackedOptions, versionsOf } from "../../src/core/tracked.js";

describe("@Tracked and @Sensitive", () => {
  it("give the options of a class, and to its children all but the names", () => {
    @Tracked({ name: "Animal", formerly: ["Beast"], version: 3, tenant: "zoo" })
    class Parent {}
    class Child extends Parent {}
    @Tracked({ version: 5 })
    class Other extends Parent {}
    expect(trackedOptions(Parent)).to.deep.equal({ name: "Animal", formerly: ["Beast"], version: 3, tenant: "zoo" });
    expect(trackedOptions(Child)).to.deep.include({ version: 3, tenant: "zoo", name: undefined, formerly: undefined });
    expect(trackedOptions(Other)).to.deep.equal({ version: 5 });
    expect(trackedOptions(class {})).to.equal(undefined);
    expect(Object.isFrozen(trackedOptions(Parent))).to.equal(true);
  });

  it("know a schema by its class, or by its name", () => {
    class Target {}
    const columns = { id: { type: Number, primary: true } } as const;
    const named = track(new EntitySchema({ name: "ByName", columns }), { version: 2 });
    track(new EntitySchema({ name: "ByClass", target: Target, columns }), { version: 4 });
    expect(named.options.name).to.equal("ByName");
    expect(trackedOptions("ByName")).to.deep.equal({ version: 2 });
    expect(trackedOptions(Target)).to.deep.equal({ version: 4 });
    expect(trackedOptions("ByClass")).to.equal(undefined);
  });

  it("mark properties of a class and of those that extend it", () => {
    class Parent {
      @Sensitive({ erased: "-" }) secret!: string;
      open!: string;
    }
    class Child extends Parent {
      @Sensitive() more!: string;
    }
    expect(sensitiveOptions(Child, "secret")).to.deep.equal({ erased: "-" });
    expect(sensitiveOptions(Child, "more")).to.deep.equal({});
    expect(sensitiveOptions(Parent, "more")).to.equal(undefined);
    expect(sensitiveOptions(Parent, "open")).to.equal(undefined);
    expect(sensitiveOptions(Parent, "constructor")).to.equal(undefined);
  });

  it("give each action its version, 1 where none is given", () => {
    expect(versionsOf({})).to.deep.equal({ create: 1, update: 1, destroy: 1 });
    expect(versionsOf({ version: 4 })).to.deep.equal({ create: 4, update: 4, destroy: 4 });
    expect(versionsOf({ version: { update: 2 } })).to.deep.equal({ create: 1, update: 2, destroy: 1 });
  });
});
