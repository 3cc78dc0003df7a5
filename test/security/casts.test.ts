import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { type Capture, EventLogError, type InstallOptions, eventLog, track } from "../../src/index.js";
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

/** Types that an attacker made, of which a table of somebody else has a column; what a cast makes of a value. */
const types: Readonly<Record<string, { readonly made: string; readonly value: string }>> = {
  enum: { made: "create type shop.state as enum ('open', 'shut')", value: "open" },
  composite: { made: "create type shop.state as (name text)", value: "(open)" },
};

const casts = ["json", "jsonb", "text", "character varying"];

/** A cast is unique per pair of types, so no other place could be tried. */
const castTo = (target: string): string => `
  create function attack."to ${target}"(shop.state) returns ${target} language plpgsql as $$
  begin
    perform attack.ran('cast to ${target}');
    return '"cast"';
  end $$;
  create cast (shop.state as ${target}) with function attack."to ${target}"(shop.state)`;

/** A domain's own CHECK runs wherever a value is read as one. */
const domain = `create domain shop.state as text check (attack.ran('check'))`;

describe("what the owner of a type has made of it", () => {
  for (const capture of ["trigger", "subscriber"] as const) {
    for (const [name, { made, value }] of Object.entries(types)) {
      it(`is no cast that the log calls, by ${capture} capture: ${name}`, async function () {
        this.timeout(60_000);
        expect(
          await heard(
            capture,
            made,
            casts.map(castTo),
            value,
            casts.map((cast) => `null::shop.state::${cast}`),
          ),
        ).to.equal("");
      });
    }

    it(`is no check that the log runs as another than who writes, by ${capture} capture: domain`, async function () {
      this.timeout(60_000);
      expect(await heard(capture, domain, [], "open", ["null::shop.state"])).to.equal("");
    });
  }
});

/** Doubles that ran as the log's owner, by what they are, while the application wrote and the owner read and replayed. */
async function heard(
  capture: Capture,
  type: string,
  more: readonly string[],
  value: string,
  naive: readonly string[],
): Promise<string> {
  const world = await World.make();
  try {
    const { roles } = world;
    await world.query(`${alarm(roles.attacker)}; set role ${roles.attacker}; ${type}; ${more.join("; ")}`);
    await world.query(`set role ${roles.owner};
      create table shop.thing (id text primary key, state shop.state);
      grant select, insert, update, delete on shop.thing to ${roles.application}`);
    const times = async () => Number((await world.query<{ n: string }>("select nextval('attack.times') as n"))[0]?.n);
    for (const call of naive) {
      const before = await times();
      await world.query(`select ${call}`);
      expect(await times(), `${call} calls the double`).to.be.greaterThan(before + 1);
    }
    const failures: string[] = [];
    const recorder = new Recorder();
    const open = (role: "owner" | "application") =>
      recorder.dataSource({ type: "postgres", url: world.urlOf(role), entities: [thing] }, { capture }).initialize();
    const [owner, application] = [await open("owner"), await open("application")];
    try {
      const log = eventLog(owner);
      const wanted = { grantTo: roles.application };
      await log.install(wanted).catch((error: unknown) => {
        if (!(error instanceof EventLogError)) throw error; // refused: the owner has to accept the owner of the type
        return log.install({ ...wanted, acceptOwners: [roles.attacker] } as InstallOptions);
      });
      const things = application.getRepository(thing);
      await things.save({ id: "1", state: value });
      await things.save({ id: "2", state: null });
      await things.save({ id: "2", state: value });
      await log.bookmark("middle");
      await things.remove({ id: "2", state: value });
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        events: () => drained(log.events()),
        history: () => log.history(thing, "1"),
        changes: () => log.changes(thing, "1"),
        at: () => log.at(thing, "1", { bookmark: "middle" }),
        verify: () => log.verify(),
        shadow: async () => (await log.shadow({ bookmark: "middle" })).drop(),
        revert: () => log.revert(thing, "2", { bookmark: "middle" }),
        replay: () => log.replay(undefined, { unknownRows: "keep" }),
        reconcile: () => log.reconcile(),
      };
      for (const [name, call] of Object.entries(calls)) {
        await call().catch(({ message }: Error) => failures.push(`${name}: ${message}`));
      }
    } finally {
      await owner.destroy();
      await application.destroy();
    }
    const alarms = recorder.heard.flatMap(({ message, during }) => {
      if (!message.startsWith("attack: ")) return [];
      const { double, as } = JSON.parse(message.slice("attack: ".length)) as { double: string; as: string };
      if (as !== roles.owner) return [];
      const place = recorder.sent.find(({ text }) => text === during)?.place;
      return [`${double} in ${place ?? during.replaceAll(/\s+/g, " ").slice(0, 60)}`];
    });
    return [...new Set(alarms), ...failures].sort().join("\n");
  } finally {
    await world.drop();
  }
}

async function drained(list: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of list) continue;
}
