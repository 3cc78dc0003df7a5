import { randomBytes } from "node:crypto";
import pg from "pg";
import { query } from "../database.js";

/** A role that may connect to the database and nothing else. */
export async function createRole(url: string): Promise<{
  readonly name: string;
  connect(applicationName?: string): Promise<pg.Client>;
  pidOf(client: pg.Client): number;
  /** After the database is dropped, or its sessions are over. */
  drop(): Promise<void>;
}> {
  const name = `stranger_${randomBytes(4).toString("hex")}`;
  await query(url, `create role ${name} login`);
  return {
    name,
    connect: async (applicationName = "") => {
      const client = new pg.Client({
        connectionString: Object.assign(new URL(url), { username: name }).href,
        application_name: applicationName,
      });
      client.on("error", () => undefined);
      await client.connect();
      return client;
    },
    pidOf: (client) => (client as unknown as { processID: number }).processID,
    drop: async () =>
      void (await query(Object.assign(new URL(url), { pathname: "/postgres" }).href, `drop role ${name}`)),
  };
}
