import { createRequire } from "node:module";
import type { Countries, Country } from "world-countries";

/** As the package has it: 250 countries with their borders, languages and currencies. */
export const world: Countries = createRequire(import.meta.url)("world-countries") as Countries;

/** Its country by ISO 3166-1 alpha-3 code. */
export function countryOf(cca3: string): Country {
  const found = world.find((country) => country.cca3 === cca3);
  if (found === undefined) throw new Error(`world-countries has no country ${cca3}.`);
  return found;
}

/** What a country calls itself, in the first of its languages; null for Antarctica, which has none. */
export function nativeNameOf(country: Country): string | null {
  return Object.values(country.name.native)[0]?.common ?? null;
}

/** The codes of a region's countries. */
export function codesIn(region: string): string[] {
  return world.filter((country) => country.region === region).map(({ cca3 }) => cca3);
}

export type { Country as CountryData } from "world-countries";
