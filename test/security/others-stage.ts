import pg from "pg";
import type { DataSource } from "typeorm";
import { type Capture, eventLog, type EventLog, type RecordedEvent, type RecordId } from "../../src/index.js";
import { query } from "../database.js";
import { alarm, entities, ours, tables, types, type Values } from "./others.js";
import { Recorder } from "./recorder.js";
import { loadParser, unqualifiedIn } from "./unqualified.js";
import { World } from "./world.js";

type Role = "owner" | "attacker" | "application" | "superuser";

/** A world in which tables of the log's owner have types of an attacker's. */
export class Stage {
  private readonly recorder = new Recorder();
  private readonly opened: DataSource[] = [];

  private constructor(
    readonly world: World,
    private readonly capture: Capture,
  ) {}

  /** `made`: the types that the attacker makes. */
  static async set(capture: Capture, work: (stage: Stage) => Promise<void>, made = types): Promise<void> {
    const stage = new Stage(await World.make(), capture);
    try {
      await stage.world.query(alarm(stage.world.roles.attacker));
      await stage.as("attacker", made.join("; "));
      await stage.as("owner", `${ours}; ${tables}`);
      await stage.as("owner", `grant all on all tables in schema shop to ${stage.world.roles.application}`);
      await work(stage);
    } finally {
      for (const dataSource of stage.opened) await dataSource.destroy();
      await stage.world.drop();
    }
  }

  urlOf(role: Role): string {
    const url = new URL(this.world.urlOf(role === "superuser" ? "owner" : role));
    if (role === "superuser") url.username = new URL(process.env["DATABASE_URL"] ?? "").username;
    return url.href;
  }

  as(role: Role, text: string): Promise<Values[]> {
    return query(`${this.urlOf(role)}?options=${encodeURIComponent("-c search_path=pg_catalog")}`, text);
  }

  async open(role: Role, tracked = Object.values(entities)): Promise<DataSource> {
    const options = { type: "postgres", url: this.urlOf(role), entities: tracked } as const;
    const dataSource = await this.recorder.dataSource(options, { capture: this.capture }).initialize();
    this.opened.push(dataSource);
    return dataSource;
  }

  /** What a naive statement of a role runs of what the attacker made. */
  async naively(role: Role, statement: string): Promise<string[]> {
    const client = new pg.Client(`${this.urlOf(role)}?options=${encodeURIComponent("-c search_path=pg_catalog")}`);
    const heard: string[] = [];
    client.on("notice", ({ message }) => heard.push(...this.#ran(message ?? "")));
    await client.connect();
    await client.query(statement).catch(() => undefined);
    await client.end();
    return heard;
  }

  install(log: EventLog): Promise<unknown> {
    const { attacker, application } = this.world.roles;
    return log.install({ grantTo: application, acceptOwners: attacker });
  }

  async installed(): Promise<{ log: EventLog; application: DataSource }> {
    const log = eventLog(await this.open("owner"));
    await this.install(log);
    return { log, application: await this.open("application") };
  }

  /** Names that statements of the library's own look up by a search_path that others may have made. */
  async searched(): Promise<string[]> {
    await loadParser();
    const found = this.recorder.sent.filter(({ own }) => own).flatMap(({ text, path }) => unqualifiedIn(text, path));
    return [...new Set(found)];
  }

  /** What ran that the attacker made, but as the application or the attacker, who wrote the values. */
  get ran(): string[] {
    const { application, attacker } = this.world.roles;
    return this.recorder.heard
      .flatMap(({ message }) => this.#ran(message))
      .filter((line) => !line.includes(`as ${application}`) && !line.includes(`as ${attacker}`));
  }

  #ran(message: string): string[] {
    const [, told] = /^attack: (.*)$/.exec(message) ?? [];
    if (told === undefined) return [];
    const { double, as, did } = JSON.parse(told) as { double: string; as: string; did: string[] };
    return [`${double} as ${as}${did.map((what) => `, and did: ${what}`).join("")}`];
  }
}

const told = ({ action, recordId, data, previous }: RecordedEvent) => ({ action, recordId, data, previous });

export async function eventsOf(
  log: EventLog,
  entity: (typeof entities)[string] | undefined,
): Promise<ReturnType<typeof told>[]> {
  const found: ReturnType<typeof told>[] = [];
  for await (const event of log.events({ entity })) found.push(told(event));
  return found;
}

/** Every call that reads, casts or writes values of a record, under the name of what it is. */
export const refusing = (
  entity: (typeof entities)[string],
  position: bigint,
  id: RecordId = 1,
): Readonly<Record<string, (log: EventLog) => Promise<unknown>>> => ({
  replay: (log) => log.replay(),
  "replay, dry": (log) => log.replay(undefined, { dryRun: true }),
  "replay by rebuilding": (log) => log.replay(undefined, { apply: "rebuild", unknownRows: "keep" }),
  "replay of one entity": (log) => log.replay(undefined, { entities: [entity] }),
  rewind: (log) => log.replay(position),
  revert: (log) => log.revert(entity, id, position),
  shadow: (log) => log.shadow(),
  baseline: (log) => log.baseline(),
  reconcile: (log) => log.reconcile(),
  erase: (log) => log.erase(entity, id),
  retain: (log) => log.retain({ since: new Date() }),
});
