import { Seat, Team } from "../entities.js";
import { idsOf, keysOf, type Path, type Paths, type Write } from "./path.js";

const named = ({ text, number }: Write) => text ?? `team ${number % 12}`;

const withSeat =
  (work: (...given: [...Parameters<Path>, seat: Seat]) => Promise<unknown>): Path =>
  async (hand, write) => {
    const [seat] = await keysOf<Seat>(hand, "seat", ["row", "number"], [write.picks[0]]);
    return seat === undefined ? undefined : work(hand, write, seat);
  };

const withTeam =
  (work: (...given: [...Parameters<Path>, team: string]) => Promise<unknown>): Path =>
  async (hand, write) => {
    const [team] = await keysOf<Team>(hand, "team", ["name"], [write.picks[0]]);
    return team === undefined ? undefined : work(hand, write, team.name);
  };

export const keys: Paths = {
  "upsert a team": ({ manager }, write) =>
    manager.upsert(Team, { name: named(write), points: write.number % 5 }, ["name"]),
  "upsert teams, some of them there": async (hand, write) => {
    const there = await keysOf<Team>(hand, "team", ["name"], [write.picks[0]]);
    const teams = new Set([...there.map(({ name }) => name), named(write)]);
    const rows = [...teams].map((name) => ({ name, points: write.number % 9 }));
    return hand.manager.upsert(Team, rows, { conflictPaths: ["name"], skipUpdateIfNoValuesChanged: true });
  },
  "insert a team or ignore it": ({ manager }, write) =>
    manager
      .createQueryBuilder()
      .insert()
      .into(Team)
      .values({ name: named(write), points: 1 })
      .orIgnore()
      .execute(),
  "insert a team or update it": ({ manager }, write) =>
    manager
      .createQueryBuilder()
      .insert()
      .into(Team)
      .values({ name: named(write), points: write.number % 100 })
      .orUpdate(["points"], ["name"])
      .execute(),
  "save a team by its natural key": ({ manager }, write) =>
    manager.save(Team, { name: named(write), points: write.number % 50 }),
  "rename a team, which its members follow": withTeam(({ manager }, write, team) =>
    manager.update(Team, { name: team }, { name: `${write.text ?? ""}${write.number}` }),
  ),
  "delete a team": withTeam(({ manager }, _, team) => manager.delete(Team, { name: team })),
  "insert a seat": async (hand, { picks, number }) => {
    const [id] = await idsOf(hand, "person", [picks[2]]);
    const person = id === undefined ? null : { id };
    return hand.manager.insert(Seat, { row: picks[0] % 9, number: picks[1] % 99, code: number, person });
  },
  "save a seat": ({ manager }, { picks }) => manager.save(Seat, { row: picks[0] % 9, number: picks[1] % 99 }),
  "move a seat": withSeat(({ manager }, { picks }, { row, number }) =>
    manager.update(Seat, { row, number }, { row: picks[1] % 9, number: picks[2] % 99 }),
  ),
  "shift the seats of a row": withSeat(({ manager }, _, { row }) =>
    manager.query(`update seat set number = number + 1000 where "row" = $1`, [row]),
  ),
  "turn rows into numbers": ({ manager }) => manager.query(`update seat set "row" = number, number = "row"`),
  "swap the codes of seats": ({ manager }) =>
    manager.query(`update seat s set code = (select o.code from seat o where o.code is not null and s.code is not null
      order by (o.code <= s.code), o.code limit 1) where code is not null`),
  "delete a seat": withSeat(({ manager }, _, { row, number }) => manager.delete(Seat, { row, number })),
};
