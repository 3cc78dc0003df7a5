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
