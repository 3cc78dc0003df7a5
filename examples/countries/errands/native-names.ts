import { In } from "typeorm";
import { ada, linus } from "../actors.js";
import { Country } from "../model.js";
import { codesIn, countryOf, nativeNameOf, world } from "../world.js";
import { type Errand, forEach } from "./errand.js";

const why = "Native names";
const nativeName = (cca3: string) => nativeNameOf(countryOf(cca3));

/** One column of every country, in as many ways as an application finds to update a row. */
export const nativeNameErrands: readonly Errand[] = [
  {
    by: ada,
    why,
    ticket: "GEO-1",
    how: "save, loaded entity",
    run: async (manager) => {
      const countries = await manager.findBy(Country, { cca3: In(codesIn("Europe")) });
      return forEach(countries, (country) =>
        manager.save(Object.assign(country, { nativeName: nativeName(country.cca3) })),
      );
    },
  },
  {
    by: ada,
    why,
    ticket: "GEO-2",
    how: "save, partial entity",
    run: (manager) => forEach(codesIn("Asia"), (cca3) => manager.save(Country, { cca3, nativeName: nativeName(cca3) })),
  },
  {
    by: ada,
    why,
    ticket: "GEO-3",
    how: "update by criteria",
    run: (manager) =>
      forEach(codesIn("Africa"), (cca3) => manager.update(Country, { cca3 }, { nativeName: nativeName(cca3) })),
  },
  {
    by: ada,
    why,
    ticket: "GEO-4",
    how: "update, query builder",
    run: (manager) =>
      forEach(codesIn("Oceania"), (cca3) =>
        manager
          .createQueryBuilder()
          .update(Country)
          .set({ nativeName: nativeName(cca3) })
          .where("cca3 = :cca3", { cca3 })
          .execute(),
      ),
  },
  {
    by: linus,
    why: `${why}, the rest at once`,
    ticket: "GEO-5",
    how: "raw SQL",
    run: async (manager) => {
      const rest = world.filter(({ region }) => region === "Americas" || region === "Antarctic");
      const names = rest.map((country) => ({ cca3: country.cca3, name: nativeNameOf(country) }));
      await manager.query(
        `update country
         set native_name = given.name
         from jsonb_to_recordset($1::jsonb) as given (cca3 text, name text)
         where country.cca3 = given.cca3`,
        [JSON.stringify(names)],
      );
      return 1;
    },
  },
  {
    by: ada,
    why: "Nothing to change after all",
    how: "save, nothing changed",
    run: async (manager) => {
      const countries = await manager.find(Country, { order: { cca3: "asc" }, take: 10 });
      return forEach(countries, (country) => manager.save(country));
    },
  },
];
