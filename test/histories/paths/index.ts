import { badges } from "./badges.js";
import { keys } from "./keys.js";
import type { Paths } from "./path.js";
import { people } from "./people.js";
import { samples } from "./samples.js";
import { statements } from "./statements.js";
import { structures } from "./structures.js";

export { statements };

/** Every way that a random history writes, by a sentence. */
export const paths: Paths = { ...people, ...keys, ...structures, ...samples, ...badges, ...statements };

/** Those that go through TypeORM's hooks as a whole, so that subscriber capture records them. */
export const recorded: readonly string[] = [
  "save a new person",
  "save several new people",
  "change a loaded person",
  "save a part of a person",
  "save a loaded person unchanged",
  "move a person under another",
  "save with teams",
  "remove a person softly",
  "recover a person",
  "remove a person",
  "save a team by its natural key",
  "save a seat",
  "save a car",
  "save a truck",
  "remove a vehicle",
  "save a root category",
  "save a category under another",
  "move a category",
  "remove a category",
  "save an invoice with lines",
  "replace the lines of an invoice",
  "save a sample",
  "save a part of a sample",
  "save a badge",
];

/** Writes that the database makes by itself, which no client can know of. */
export const outOfReach: readonly string[] = ["call a function that writes twice"];
