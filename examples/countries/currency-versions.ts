import { override, upcast } from "../../src/index.js";
import { Currency, type CurrencyV1Row } from "./model.js";

/** What a replay does with the events that release 1 recorded. There are two ways; this demo shows both. */
export const currencyVersions = {
  /** Takes the event over: it could make rows of several entities, or read what there was. Here it makes one row. */
  overrides: [
    override<CurrencyV1Row>(Currency, "create", { versions: [1] }, async (event, state) => {
      const { code, label } = event.data;
      await state.create(Currency, { code, ...splitLabel(label) });
    }),
  ],
  /** Turns data of one version into that of the next, and no more. An update brings only the columns that changed. */
  upcasters: [
    upcast(Currency, "update", { from: 1 }, ({ label, ...rest }) =>
      typeof label === "string" ? { ...rest, ...splitLabel(label) } : rest,
    ),
  ],
};

/** "Euro (€)" to a name and a symbol: in JavaScript what the migration does in SQL. */
function splitLabel(label: string): { name: string; symbol: string } {
  const at = label.lastIndexOf(" (");
  return { name: label.slice(0, at), symbol: label.slice(at + 2, -1) };
}
