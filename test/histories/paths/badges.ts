import { Badge, BadgeV1 } from "../entities.js";
import { idsOf, type Path, type Paths, type Write } from "./path.js";

const values = (release: 1 | 2, { text, number }: Write) =>
  release === 1 ? { label: `${number % 9} ${text ?? "none"}` } : { sign: String(number % 9), rest: text ?? "none" };

const withBadge =
  (work: (...given: [...Parameters<Path>, id: number]) => Promise<unknown>): Path =>
  async (hand, write) => {
    const [id] = await idsOf(hand, "badge", [write.picks[0]]);
    return id === undefined ? undefined : work(hand, write, id);
  };

const entityOf = (release: 1 | 2) => (release === 1 ? BadgeV1 : Badge);

/** Writes in the shape that the release of the day has. */
export const badges: Paths = {
  "save a badge": ({ manager, release }, write) => manager.save(entityOf(release), values(release, write)),
  "insert badges": ({ manager, release }, write) =>
    manager.insert(entityOf(release), [values(release, write), values(release, write)]),
  "update a badge": withBadge(({ manager, release }, write, id) =>
    manager.update(entityOf(release), id, values(release, write)),
  ),
  "delete a badge": withBadge(({ manager, release }, _, id) => manager.delete(entityOf(release), id)),
  "give a badge another id": withBadge(({ manager }, { number }, id) =>
    manager.query("update badge set id = $2 where id = $1", [id, number + 1000]),
  ),
};
