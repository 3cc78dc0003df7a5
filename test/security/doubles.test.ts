import { expect } from "chai";
import pg from "pg";
import type { Capture } from "../../src/index.js";
import { alarm, type Double, doubles } from "./doubles.js";
import { type Heard, Recorder } from "./recorder.js";
import { callAll } from "./surface.js";
import { World, type WorldRoles } from "./world.js";

interface Scene {
  readonly capture: Capture;
  readonly kinds: readonly Double["kind"][];
  /** Where each double is made. */
  readonly places: (roles: WorldRoles, index: number) => readonly string[];
  /** The search_path under attack, and who sets it. (Default: the server's) */
  readonly path?: string;
  readonly setBy?: "database" | "role" | "DataSource";
  /** How many doubles a naive statement calls, at least. */
  readonly atLeast: number;
  /** Some of them. */
  readonly among: readonly string[];
}

/** A path on which nothing of the catalog is found by its name if an attacker has made the same. */
const attackFirst = 'attack, "$user", shop, public, pg_catalog';

const scenes: Readonly<Record<string, Scene>> = {
  "functions and operators that fit better, in a schema called like the user, in public and with the tables": {
    capture: "subscriber",
    kinds: ["function", "operator", "table"],
    places: ({ owner }, index) => [owner, index % 2 === 0 ? "public" : "shop"],
    path: '"$user", public, shop',
    setBy: "database",
    atLeast: 1_000,
    among: [
      "function to_jsonb(text[])",
      "function format(text, variadic text[])",
      "operator shop.mood = shop.mood",
      "table event",
    ],
  },
  "functions, operators and tables of the catalog's own names, in a schema before it": {
    capture: "trigger",
    kinds: ["function", "operator", "table"],
    places: () => ["attack"],
    path: attackFirst,
    setBy: "role",
    atLeast: 2_000,
    among: ["function quote_ident(text)", "aggregate count(*)", "operator integer = integer", "table pg_class"],
  },
  "types, tables and operators of the session": {
    capture: "subscriber",
    kinds: ["type", "table", "operator"],
    places: () => ["pg_temp"],
    atLeast: 100,
    among: ["type jsonb", "type regclass", "table pg_class", "table event", "operator shop.mood = shop.mood"],
  },
  "types of the catalog's own names, in a schema before it": {
    capture: "trigger",
    kinds: ["type"],
    places: () => ["attack"],
    path: attackFirst,
    setBy: "DataSource",
    atLeast: 15,
    among: ["type jsonb", "type text", "type regclass"],
  },
};

describe("what an attacker makes in the place of what is meant", () => {
  for (const [name, scene] of Object.entries(scenes)) {
    it(`is never called by the log, by ${scene.capture} capture: ${name}`, async function () {
      this.timeout(300_000);
      const world = await World.make();
      try {
        const stage = await Stage.set(world, scene);
        expect(stage.called.length, "doubles that a naive statement calls").to.be.at.least(scene.atLeast);
        expect(stage.called.map((double) => double.name)).to.include.members([...scene.among]);
        const findings = await stage.play();
        if (findings.length > 0) expect.fail(`${findings.length} findings:\n${findings.join("\n")}`);
      } finally {
        await world.drop();
      }
    });
  }
});

/** A world in which doubles wait. */
class Stage {
  private constructor(
    private readonly world: World,
    private readonly scene: Scene,
    /** Doubles that a naive statement calls under this search_path. */
    readonly called: readonly Double[],
    /** What each session runs first. */
    private readonly inSession: string,
  ) {}

  static async set(world: World, scene: Scene): Promise<Stage> {
    const { roles } = world;
    await world.query(alarm(roles.attacker));
    await world.query(
      `create schema ${roles.owner} authorization ${roles.attacker}; grant usage on schema ${roles.owner} to public`,
    );
    const found = (await doubles(world)).filter(({ kind }) => scene.kinds.includes(kind));
    const planned = found.map((double, index) => ({ double, schemas: scene.places(roles, index) }));
    const sets: Record<string, string> = {
      database: `alter database "${world.name}"`,
      role: Object.values(roles)
        .map((role) => `alter role ${role} in database "${world.name}" set search_path = ${scene.path}`)
        .join("; "),
    };
    if (scene.setBy === "database") await world.query(`${sets["database"]} set search_path = ${scene.path}`);
    if (scene.setBy === "role") await world.query(sets["role"] ?? "");
    if (planned[0]?.schemas[0] === "pg_temp") return Stage.#inSessions(world, scene, found);
    const attacker = await connected(world, "attacker", "pg_catalog");
    const made: Double[] = [];
    for (const { double, schemas } of planned) {
      const texts = schemas.map((schema) => double.made.replaceAll("<schema>", `"${schema}"`));
      if (await runs(attacker, texts.join("; "))) made.push(double);
    }
    await attacker.end();
    const called = await Stage.#called(world, scene, ["owner", "application"], made);
    return new Stage(world, scene, called, "");
  }

  /** Doubles of a session are made in each. Operators there are never found by name, so their call names the schema. */
  static async #inSessions(world: World, scene: Scene, found: readonly Double[]): Promise<Stage> {
    const wanted = found.filter(({ kind, name }) => kind !== "operator" || / = /.test(name));
    const client = await connected(world, "application", "pg_catalog");
    const made: Double[] = [];
    for (const double of wanted) {
      const call = double.call.replace(/ = /, " operator(pg_temp.=) ");
      if (await runs(client, double.made.replaceAll("<schema>", "pg_temp"))) made.push({ ...double, call });
    }
    await client.end();
    const inSession = made.map((double) => double.made.replaceAll("<schema>", "pg_temp")).join("; ");
    return new Stage(world, scene, await Stage.#called(world, scene, ["owner"], made, inSession), inSession);
  }

  /** Those that a naive statement calls, by each of the roles. */
  static async #called(
    world: World,
    scene: Scene,
    by: readonly (keyof WorldRoles)[],
    made: readonly Double[],
    first = "",
  ): Promise<Double[]> {
    let called = [...made];
    for (const role of by) {
      const client = await connected(world, role, scene.setBy === "DataSource" ? scene.path : undefined);
      await client.query(first);
      const heard = new Set<string>();
      client.on("notice", ({ message }) => void heard.add(alarmOf(message ?? "")?.double ?? ""));
      for (const { call } of called) await runs(client, `select ${call}`);
      called = called.filter(({ name }) => heard.has(name));
      await client.end();
    }
    return called;
  }

  /** Calls all of the public surface. What a double heard of it, and what failed. */
  async play(): Promise<string[]> {
    const { world, scene } = this;
    const recorder = new Recorder(this.inSession);
    const before = await this.#times();
    const options =
      scene.setBy === "DataSource" ? { extra: { options: `-c search_path=${spaced(scene.path ?? "")}` } } : {};
    const open = (role: keyof WorldRoles) =>
      recorder
        .dataSource(
          { type: "postgres", url: world.urlOf(role), entities: World.entities, ...options },
          { capture: scene.capture },
        )
        .initialize();
    const [owner, application] = [await open("owner"), await open("application")];
    try {
      const failures = await callAll({ world, owner, application, capture: scene.capture });
      const heard = recorder.heard.filter(({ message }) => alarmOf(message) !== undefined);
      expect((await this.#times()) - before, "alarms that were not heard").to.be.at.most(heard.length);
      return [...failures, ...this.#findings(recorder, heard)];
    } finally {
      await owner.destroy();
      await application.destroy();
    }
  }

  async #times(): Promise<number> {
    const [row] = await this.world.query<{ times: string }>(
      "select case when is_called then last_value else 0 end as times from attack.times",
    );
    return Number(row?.times);
  }

  /** Doubles that ran in what the library sent or as another role. The application's own statements may call any. */
  #findings(recorder: Recorder, heard: readonly Heard[]): string[] {
    const own = new Map(recorder.sent.filter((sent) => sent.own).map(({ text, place }) => [text, place]));
    const findings = heard.flatMap(({ message, during }) => {
      const alarmed = alarmOf(message);
      if (alarmed === undefined) return [];
      const { double, as, session, stack } = alarmed;
      const inside = /function chronicle\.(\w+)/.exec(stack)?.[1];
      const isOurs = own.has(during) || inside !== undefined || as !== session || /"chronicle"\./.test(during);
      const role = Object.entries(this.world.roles).find(([, name]) => name === as)?.[0];
      const where = inside ?? own.get(during) ?? during.replaceAll(/\s+/g, " ").slice(0, 60);
      return isOurs ? [`${where}: ${double}, as ${role}`] : [];
    });
    return [...new Set(findings)].sort();
  }
}

interface Alarm {
  readonly double: string;
  readonly as: string;
  readonly session: string;
  readonly stack: string;
}

function alarmOf(message: string): Alarm | undefined {
  const json = /^attack: (.*)$/s.exec(message)?.[1];
  return json === undefined ? undefined : (JSON.parse(json) as Alarm);
}

async function connected(world: World, role: keyof WorldRoles, path?: string): Promise<pg.Client> {
  const options = path === undefined ? {} : { options: `-c search_path=${spaced(path)}` };
  const client = new pg.Client({ connectionString: world.urlOf(role), ...options });
  await client.connect();
  return client;
}

/** A search_path as an option of a connection, where a space ends it. */
const spaced = (path: string): string => path.replaceAll(" ", "");

async function runs(client: pg.Client, text: string): Promise<boolean> {
  try {
    await client.query(text);
    return true;
  } catch {
    return false;
  }
}
