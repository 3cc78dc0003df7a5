import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { type Capture, eventLog, track } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { alarm } from "./doubles.js";
import { Recorder } from "./recorder.js";
import { World } from "./world.js";

interface Thing {
  id: string;
  state: string | null;
}

const thing = new EntitySchema<Thing>({
  name: "Thing",
  tableName: "thing",
  schema: "shop",
  columns: { id: { type: "text", primary: true }, state: { type: "text", nullable: true } },
});
track(thing);

const casts = ["json", "jsonb", "text", "character varying"];

/** A cast is unique per pair of types, so no other place could be tried. */
const castTo = (target: string): string => `
  create function attack."to ${target}"(shop.state) returns ${target} language plpgsql as $$
  begin
    perform attack.ran('cast to ${target}');
    return '"cast"';
  end $$;
  create cast (shop.state as ${target}) with function attack."to ${target}"(shop.state)`;

/** Types that an attacker made, of which a table of somebody else has a column; and calls that run what they made. */
const types: Readonly<Record<string, { readonly made: readonly string[]; readonly naive: readonly string[] }>> = {
  enum: {
    made: ["create type shop.state as enum ('open', 'shut')", ...casts.map(castTo)],
    naive: casts.map((cast) => `null::shop.state::${cast}`),
  },
  composite: {
    made: ["create type shop.state as (name text)", ...casts.map(castTo)],
    naive: casts.map((cast) => `null::shop.state::${cast}`),
  },
  domain: {
    made: ["create domain shop.state as text check (attack.ran('check'))"],
    naive: ["null::shop.state"],
  },
};

describe("a type that somebody else owns", () => {
  for (const capture of ["trigger", "subscriber"] as const)
    for (const [name, { made, naive }] of Object.entries(types))
      it(`is refused by install, and nothing that its owner made of it runs, by ${capture} capture: ${name}`, () =>
        expectRefused(capture, made, naive)).timeout(60_000);
});

async function expectRefused(capture: Capture, made: readonly string[], naive: readonly string[]): Promise<void> {
  const world = await World.make();
  try {
    const { roles } = world;
    await world.query(`${alarm(roles.attacker)}; set role ${roles.attacker}; ${made.join("; ")}`);
    await world.query(`set role ${roles.owner}; create table shop.thing (id text primary key, state shop.state)`);
    const times = async () => Number((await world.query<{ n: string }>("select nextval('attack.times') as n"))[0]?.n);
    for (const call of naive) {
      const before = await times();
      await world.query(`select ${call}`);
      expect(await times(), `${call} calls what was made`).to.be.greaterThan(before + 1);
    }
    const owner = await new Recorder()
      .dataSource({ type: "postgres", url: world.urlOf("owner"), entities: [thing] }, { capture })
      .initialize();
    try {
      const before = await times();
      const error = await rejectionOf(eventLog(owner).install({ grantTo: roles.application }));
      expect(error).to.include({ code: "NOT_OWNER" });
      expect(error.message).to.include(`The type shop.state belongs to ${roles.attacker}`);
      expect(await times(), "nothing ran").to.equal(before + 1);
    } finally {
      await owner.destroy();
    }
  } finally {
    await world.drop();
  }
}
