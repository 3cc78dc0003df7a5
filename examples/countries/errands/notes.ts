import { In, Like } from "typeorm";
import { ada, grace, linus } from "../actors.js";
import { Contact, Note } from "../model.js";
import { countryOf, world } from "../world.js";
import { type Errand, forEach } from "./errand.js";

const landlocked = world.filter((country) => country.landlocked);
const crossroads = world.filter((country) => country.borders.length >= 6);
/** Landlocked, and so is every neighbour. */
const twiceLandlocked = landlocked.filter(({ borders }) => borders.every((cca3) => countryOf(cca3).landlocked));
const isTwiceLandlocked = { cca3: In(twiceLandlocked.map(({ cca3 }) => cca3)) };

/** Notes and contacts are made. */
export const newNotes: readonly Errand[] = [
  {
    by: grace,
    why: "A contact for every country with six neighbours or more, and for the islands in question",
    ticket: "DESK-1",
    how: "insert",
    run: (manager) =>
      forEach([...crossroads, countryOf("UMI")], ({ cca2, cca3, name }) =>
        manager.insert(Contact, {
          desk: `Desk for ${name.common}`,
          email: `${cca2.toLowerCase()}.desk@example.org`,
          country: { cca3 },
        }),
      ),
  },
  {
    by: grace,
    why: "Who has no coast",
    ticket: "NOTE-1",
    how: "save, new entity",
    run: (manager) =>
      forEach(landlocked, ({ cca3, borders }) =>
        manager.save(Note, { text: `Landlocked between ${borders.join(", ")}`, country: { cca3 } }),
      ),
  },
  {
    by: linus,
    why: "Why the islands are there",
    ticket: "NOTE-2",
    how: "insert, query builder",
    run: async (manager) => {
      const text = "Nine islands that ISO 3166 lists as one country";
      await manager
        .createQueryBuilder()
        .insert()
        .into(Note)
        .values({ text, country: { cca3: "UMI" } })
        .execute();
      return 1;
    },
  },
  {
    by: linus,
    why: "Ask for a check of every second note",
    ticket: "NOTE-3",
    how: "raw SQL",
    run: async (manager) => {
      await manager.query(
        `insert into note (text, country, reply_to, revision)
         select 'To be checked on the map', country, id, 1 from note where id % 2 = 0`,
      );
      return 1;
    },
  },
];

/** Notes and contacts are changed and removed. */
export const laterNotes: readonly Errand[] = [
  {
    by: ada,
    why: "All of their neighbours are landlocked, too",
    ticket: "NOTE-4",
    how: "save, loaded entity",
    run: async (manager) => {
      const notes = await manager.findBy(Note, { text: Like("Landlocked%"), country: isTwiceLandlocked });
      return forEach(notes, (note) =>
        manager.save(Object.assign(note, { text: note.text.replace("Land", "Doubly land") })),
      );
    },
  },
  {
    by: grace,
    why: "One neighbour needs no note; the replies go with it",
    ticket: "NOTE-5",
    how: "remove, with cascades",
    run: async (manager) => {
      const notes = await manager.find(Note, { relations: { country: true }, order: { id: "asc" } });
      const enclaves = notes.filter(
        ({ text, country }) => countryOf(country.cca3).borders.length === 1 && text.startsWith("Land"),
      );
      return forEach(enclaves, (note) => manager.remove(note));
    },
  },
  {
    by: grace,
    why: "Checked in Africa",
    ticket: "NOTE-6",
    how: "delete by criteria",
    run: async (manager) => {
      const african = In(landlocked.filter(({ region }) => region === "Africa").map(({ cca3 }) => cca3));
      await manager.delete(Note, { text: "To be checked on the map", country: { cca3: african } });
      return 1;
    },
  },
  {
    by: grace,
    why: "One mailbox for all desks in Asia",
    ticket: "DESK-2",
    how: "update by criteria",
    run: (manager) =>
      forEach(
        crossroads.filter(({ region }) => region === "Asia"),
        ({ cca3 }) => manager.update(Contact, { country: { cca3 } }, { email: "asia.desk@example.org" }),
      ),
  },
];
