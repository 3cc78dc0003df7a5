/** The entities as the application has them today, and what differs in release 1. */
export { Contact } from "./entities/contact.js";
export { Country } from "./entities/country.js";
export { Currency } from "./entities/currency.js";
export { Language } from "./entities/language.js";
export { Note } from "./entities/note.js";
export { Region } from "./entities/region.js";
export { CurrencyV1, type CurrencyV1Row } from "./entities/version-1/currency.js";
