import { In, LessThan } from "typeorm";
import { Person, Team } from "../entities.js";
import { idsOf, keysOf, type Hand, type Path, type Paths, type Write } from "./path.js";

const made = ({ text, number, picks }: Write) => ({
  name: text,
  score: number % 1000,
  taxNumber: text,
  address: { street: text, city: picks[0] % 2 === 0 ? "Bath" : null },
});

/** Runs with some person that is there. */
const withPerson =
  (work: (hand: Hand, id: number, write: Write) => Promise<unknown>): Path =>
  async (hand, write) => {
    const [id] = await idsOf(hand, "person", [write.picks[0]]);
    return id === undefined ? undefined : work(hand, id, write);
  };

const loaded = ({ manager }: Hand, id: number) =>
  manager.findOneOrFail(Person, { where: { id }, withDeleted: true, relations: { teams: true } });

export const people: Paths = {
  "save a new person": async (hand, write) => {
    const [id] = await idsOf(hand, "person", [write.picks[1]]);
    return hand.manager.save(Person, { ...made(write), manager: id === undefined ? null : { id } });
  },
  "save several new people": ({ manager }, write) =>
    manager.save(Person, [made(write), { ...made(write), name: null }, { address: {} }]),
  "change a loaded person": withPerson(async (hand, id, { text, number }) => {
    const person = await loaded(hand, id);
    return hand.manager.save(Person, Object.assign(person, { name: text, score: number % 7 }));
  }),
  "save a part of a person": withPerson(({ manager }, id, { text }) => manager.save(Person, { id, name: text })),
  "save a loaded person unchanged": withPerson(async (hand, id) => hand.manager.save(await loaded(hand, id))),
  "move a person under another": withPerson(async (hand, id, { picks }) => {
    const [manager] = await idsOf(hand, "person", [picks[1]]);
    return hand.manager.save(Person, { id, manager: manager === id ? null : { id: manager ?? id } });
  }),
  "save with teams": withPerson(async (hand, id, { picks }) => {
    const teams = await keysOf<Team>(hand, "team", ["name"], picks);
    const person = await loaded(hand, id);
    return hand.manager.save(Person, Object.assign(person, { teams }));
  }),
  "add a team to a person": withPerson(async (hand, id, { picks }) => {
    const [team] = await keysOf<Team>(hand, "team", ["name"], [picks[1]]);
    const { teams } = await loaded(hand, id);
    if (team === undefined || teams.some(({ name }) => name === team.name)) return undefined;
    return hand.manager.createQueryBuilder().relation(Person, "teams").of(id).add(team.name);
  }),
  "take teams from a person": withPerson(async (hand, id) => {
    const { teams } = await loaded(hand, id);
    const names = teams.map(({ name }) => name);
    return hand.manager.createQueryBuilder().relation(Person, "teams").of(id).remove(names);
  }),
  "update people by criteria": ({ manager }, { number, text }) =>
    manager.update(Person, { score: LessThan(number % 1000) }, { name: text, address: { city: text } }),
  "update people by ids": async (hand, { picks, number }) =>
    hand.manager.update(Person, { id: In(await idsOf(hand, "person", picks)) }, { score: number % 1000 }),
  "give a person nulls": withPerson(({ manager }, id) => manager.update(Person, id, { name: null, taxNumber: null })),
  "increment a person": withPerson(({ manager }, id) => manager.increment(Person, { id }, "score", 3)),
  "remove a person softly": withPerson(async (hand, id) => hand.manager.softRemove(await loaded(hand, id))),
  "recover a person": withPerson(async (hand, id) => hand.manager.recover(await loaded(hand, id))),
  "remove people softly by criteria": ({ manager }, { number }) =>
    manager.softDelete(Person, { score: LessThan(number % 1000) }),
  "restore people by criteria": ({ manager }, { number }) =>
    manager.restore(Person, { score: LessThan(number % 1000) }),
  "remove a person": withPerson(async (hand, id) => hand.manager.remove(await loaded(hand, id))),
  "delete a person": withPerson(({ manager }, id) => manager.delete(Person, id)),
  "insert people with a query builder": ({ manager }, write) =>
    manager
      .createQueryBuilder()
      .insert()
      .into(Person)
      .values([made(write), { ...made(write), score: () => "length('four')" }])
      .execute(),
  "update people with a query builder": ({ manager }, { number, text }) =>
    manager
      .createQueryBuilder()
      .update(Person)
      .set({ score: () => "score + 1", taxNumber: text })
      .where("id % 3 = :rest", { rest: number % 3 })
      .returning("*")
      .execute(),
};
