import { override, upcast } from "../../src/index.js";
import { Badge } from "./entities.js";

/** What a replay does with the events of release 1: creates go through an upcaster, updates through an override. */
export const badgeVersions = {
  upcasters: [upcast(Badge, "create", { from: 1 }, ({ label, ...rest }) => ({ ...rest, ...split(label) }))],
  overrides: [
    override<{ id: number; label?: string }>(Badge, "update", { versions: [1] }, async (event, state) => {
      const badge = await state.find(Badge, event.recordId);
      if (badge === null) throw new Error("there is no badge to update");
      if (event.data.label !== undefined) await state.update(Badge, event.recordId, split(event.data.label));
    }),
  ],
};

function split(label: unknown): { sign: string; rest: string } {
  const [sign = ""] = String(label).split(" ", 1);
  return { sign, rest: String(label).slice(sign.length + 1) };
}
