import pg from "pg";
import type { DataSource, DataSourceOptions } from "typeorm";
import { type EventLog, eventLog, type InstallOptions } from "../../src/index.js";
import { createDatabase, query, type TestDatabase } from "../database.js";
import { newDataSource } from "../tracked-application.js";
import { Account } from "./entities.js";
import { heldBy, withRoles } from "./rights.js";

const names = ["owner", "application", "reader", "first", "second", "nobody"] as const;
export type Roles = Readonly<Record<(typeof names)[number], string>>;
export const server = () => process.env["DATABASE_URL"] ?? "";

/** A database whose tables and log belong to one role, that is no superuser. */
export interface Place {
  readonly roles: Roles;
  readonly url: string;
  readonly log: EventLog;
  readonly grants: InstallOptions;
  as(role: keyof Roles, sql: string): Promise<pg.QueryResultRow[]>;
  /** What roles that install() did not name may do with the log. */
  strangers(schema?: string): Promise<string[]>;
}

/** `prepare`: SQL that the owner runs before the log is there. `entities`: those that are tracked. (Default: Account) */
export async function inPlace(
  work: (place: Place) => Promise<void>,
  {
    prepare,
    entities = [Account],
  }: {
    readonly prepare?: ((roles: Roles) => string) | undefined;
    readonly entities?: NonNullable<DataSourceOptions["entities"]>;
  } = {},
): Promise<void> {
  await withRoles(server(), names, async (roles) => {
    const database: TestDatabase = await createDatabase();
    let owned: DataSource | undefined;
    try {
      const url = (role: keyof Roles) => Object.assign(new URL(database.url), { username: roles[role] }).href;
      await query(
        database.url,
        `grant create on database "${new URL(database.url).pathname.slice(1)}" to ${roles.owner};
        grant create on schema public to ${roles.owner}`,
      );
      if (prepare !== undefined) await query(url("owner"), prepare(roles));
      owned = await newDataSource(url("owner"), entities, { synchronize: true }).initialize();
      const log = eventLog(owned);
      const grants = { grantTo: roles.application, grantReadTo: roles.reader };
      const strangers = async (schema = "chronicle") => {
        const found: string[] = [];
        for (const role of ["first", "second", "nobody"] as const)
          found.push(...(await heldBy(database.url, schema, roles[role])).map((held) => `${role}: ${held}`));
        return found;
      };
      await work({ roles, url: database.url, log, grants, strangers, as: (role, sql) => query(url(role), sql) });
    } finally {
      await owned?.destroy();
      await database.drop();
    }
  });
}
