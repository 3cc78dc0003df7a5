import { ada, linus } from "../actors.js";
import { CurrencyV1 } from "../model.js";
import type { Errand } from "./errand.js";
import { forEach } from "./errand.js";

/** Names in world-countries that lack their country. */
const fullLabels = [
  { code: "GEL", label: "Georgian lari (₾)" },
  { code: "GMD", label: "Gambian dalasi (D)" },
  { code: "MKD", label: "Macedonian denar (den)" },
];

/** What was changed while a currency still had a label: version 1 events that every later replay has to understand. */
export const releaseOneErrands: readonly Errand[] = [
  {
    by: ada,
    why: "Name the country in the label",
    ticket: "CUR-1",
    how: "save, partial entity",
    run: (manager) => forEach(fullLabels, (currency) => manager.save(CurrencyV1, currency)),
  },
  {
    by: linus,
    why: "Not in ISO 4217",
    ticket: "CUR-2",
    how: "delete by criteria",
    run: async (manager) => {
      await manager.delete(CurrencyV1, { code: "KID" });
      return 1;
    },
  },
];
