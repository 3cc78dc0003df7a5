import { In } from "typeorm";
import { ada, grace, linus } from "../actors.js";
import { Country } from "../model.js";
import { type Errand, forEach } from "./errand.js";

const uninhabited = ["BVT", "HMD", "ATF"];

/** Countries that go, and some that come back. */
export const removalErrands: readonly Errand[] = [
  {
    by: grace,
    why: "Nobody lives there",
    ticket: "GEO-7",
    how: "soft-remove",
    run: async (manager) =>
      forEach(await manager.findBy(Country, { cca3: In(uninhabited) }), (country) => manager.softRemove(country)),
  },
  {
    by: grace,
    why: "Nobody lives there",
    ticket: "GEO-7",
    how: "soft-delete by criteria",
    run: async (manager) => {
      await manager.softDelete(Country, { cca3: In(["ATA", "SGS"]) });
      return 1;
    },
  },
  {
    by: ada,
    why: "It has research stations",
    ticket: "GEO-8",
    how: "recover",
    run: async (manager) => {
      const countries = await manager.find(Country, { where: { cca3: In(["ATF", "HMD"]) }, withDeleted: true });
      return forEach(countries, (country) => manager.recover(country));
    },
  },
  {
    by: ada,
    why: "It has research stations",
    ticket: "GEO-8",
    how: "restore by criteria",
    run: async (manager) => {
      await manager.restore(Country, { cca3: In(["ATA", "SGS"]) });
      return 1;
    },
  },
  {
    by: grace,
    why: "One entry for nine scattered islands; note, contact, languages and currencies go with it",
    ticket: "GEO-9",
    how: "remove, with cascades",
    run: async (manager) => {
      await manager.remove(await manager.findOneByOrFail(Country, { cca3: "UMI" }));
      return 1;
    },
  },
  {
    by: linus,
    why: "An area of -1 means that nobody measured it",
    ticket: "GEO-10",
    how: "raw SQL",
    run: async (manager) => {
      await manager.query("update country set area = null where area < 0");
      return 1;
    },
  },
];
