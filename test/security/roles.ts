import { randomBytes } from "node:crypto";
import pg from "pg";
import type { DataSource } from "typeorm";
import { query } from "../database.js";
import { newDataSource, TrackedApplication, type ApplicationOptions } from "../tracked-application.js";
import { eventLog } from "../../src/index.js";
import { Account } from "./entities.js";

type Entities = readonly (new () => object)[];

/** Who meets a log: who owns it, whose writes are recorded, who may read it, and a stranger. None is a superuser. */
export interface Roles {
  readonly owner: string;
  readonly application: string;
  readonly reader: string;
  readonly stranger: string;
}

/** An application whose tables and log belong to one role, that is used by another and read by a third. */
export class Guarded {
  private constructor(
    readonly application: TrackedApplication,
    readonly roles: Roles,
    private readonly entities: Entities,
    private readonly clients: pg.Client[] = [],
    private readonly dataSources: DataSource[] = [],
  ) {}

  static async start(log: ApplicationOptions["log"] = {}, more: Entities = []): Promise<Guarded> {
    const entities = [Account, ...more];
    const suffix = randomBytes(4).toString("hex");
    const roles = {
      owner: `owner_${suffix}`,
      application: `application_${suffix}`,
      reader: `reader_${suffix}`,
      stranger: `stranger_${suffix}`,
    };
    const application = await TrackedApplication.start(entities, {
      install: false,
      dataSource: { synchronize: false },
    });
    const { owner } = roles;
    for (const role of Object.values(roles)) await application.query(`create role ${role} login`);
    await application.query(
      `grant create on database "${new URL(application.database.url).pathname.slice(1)}" to ${owner}`,
    );
    await application.query(`grant create on schema public to ${owner}`);
    const owned = newDataSource(as(application.database.url, owner), entities, { synchronize: true }, log);
    await owned.initialize();
    await eventLog(owned).install({ grantTo: roles.application, grantReadTo: roles.reader });
    await owned.query(`grant select, insert, update, delete on all tables in schema public to ${roles.application}`);
    await owned.query(`grant usage on all sequences in schema public to ${roles.application}`);
    await owned.destroy();
    return new Guarded(application, roles, entities);
  }

  /** A connection of a role, that is no client of ours. */
  async connect(role: keyof Roles): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: as(this.application.database.url, this.roles[role]) });
    await client.connect();
    this.clients.push(client);
    return client;
  }

  /** The application as a role runs it. */
  async open(role: keyof Roles, log: ApplicationOptions["log"] = {}): Promise<DataSource> {
    const dataSource = newDataSource(as(this.application.database.url, this.roles[role]), [...this.entities], {}, log);
    this.dataSources.push(await dataSource.initialize());
    return dataSource;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) await client.end();
    for (const dataSource of this.dataSources) await dataSource.destroy();
    const { url } = this.application.database;
    const server = Object.assign(new URL(url), { pathname: "/postgres" }).href;
    await this.application.stop();
    for (const role of Object.values(this.roles)) await query(server, `drop role ${role}`);
  }
}

/** A guarded log for the suite that calls it, with one account that the application's role has written. */
export function guardedLog(): () => Guarded {
  let guarded: Guarded;
  before(async () => {
    guarded = await Guarded.start();
    const client = await guarded.connect("application");
    await client.query("insert into account (name, tax_number) values ('Ada', '12')");
  });
  after(() => guarded?.stop());
  return () => guarded;
}

function as(url: string, role: string): string {
  return Object.assign(new URL(url), { username: role }).href;
}
