import { eventLog } from "../../src/index.js";
import { query } from "../database.js";
import { type ApplicationOptions, TrackedApplication } from "../tracked-application.js";
import { blog, blogTables } from "./entities/blog.js";
import { machinery, machines, machineTables } from "./entities/machines.js";
import { Specimen, specimenTables } from "./entities/specimen.js";
import { structures, structureTables } from "./entities/structures.js";

export const workshopEntities = [...blog, ...structures, ...machines, Specimen];

/** Every table that the write paths write to. */
export const watched = [...blogTables, ...structureTables, ...machineTables, ...specimenTables];

/** The application that the write paths write with; at row level its tables have AFTER ROW triggers of its own. */
export async function startWorkshop(
  level: "statement" | "row",
  options: ApplicationOptions = {},
): Promise<TrackedApplication> {
  const application = await TrackedApplication.start(workshopEntities, {
    prepare: ({ url }) => query(url, `create schema "Shop floor"`),
    ...options,
    install: false,
  });
  await application.query(machinery);
  if (level === "row") {
    await application.query("create function idle() returns trigger language plpgsql as 'begin return null; end'");
    for (const { table } of watched) {
      await application.query(
        `create trigger idle after insert or update or delete on ${table} for each row execute function idle()`,
      );
    }
  }
  await eventLog(application.dataSource).install();
  return application;
}
