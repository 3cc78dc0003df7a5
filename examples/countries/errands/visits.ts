import { MoreThan } from "typeorm";
import { nightlyJob } from "../actors.js";
import { Country } from "../model.js";
import { world } from "../world.js";
import { type Errand, forEach } from "./errand.js";

const countriesPerNight = 12;

/** The counters of one night; which countries it has and how many visits follows from the night's number alone. */
function night(number: number): Errand {
  const first = number * 49;
  const visited = Array.from({ length: countriesPerNight }, (_, index) => world[(first + index * 7) % world.length]);
  return {
    by: nightlyJob,
    why: `Page visits of night ${number}`,
    how: "increment",
    run: (manager) =>
      forEach(visited, (country, index) =>
        manager.increment(Country, { cca3: country?.cca3 ?? "" }, "visits", 1 + ((number * 5 + index * 3) % 9)),
      ),
  };
}

const discountRobots: Errand = {
  by: nightlyJob,
  why: "Each night one visit is our own monitor",
  how: "decrement",
  run: async (manager) => {
    await manager.decrement(Country, { visits: MoreThan(7) }, "visits", 1);
    return 1;
  },
};

export const earlyNights: readonly Errand[] = [1, 2, 3, 4, 5].map(night);
export const lateNights: readonly Errand[] = [...[6, 7, 8, 9, 10].map(night), discountRobots];
