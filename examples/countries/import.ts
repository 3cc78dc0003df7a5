import type { DataSource } from "typeorm";
import { withRequestContext } from "../../src/index.js";
import { importJob } from "./actors.js";
import { Country, CurrencyV1, Language, Region } from "./model.js";
import { type CountryData, world } from "./world.js";

/** Called as rows are written, of one kind after the other. */
export type OnImported = (what: string, done: number, total: number) => void;

/** Writes the world into an empty database, as one actor, by plain `save`. */
export async function importWorld(dataSource: DataSource, onImported: OnImported = () => {}): Promise<void> {
  await withRequestContext(importJob, async () => {
    const regions = await importRegions(dataSource, onImported);
    await saveAll(dataSource, Language, "languages", languages(), onImported);
    await saveAll(dataSource, CurrencyV1, "currencies", currencies(), onImported);
    const countries = world.map((country) => countryFrom(country, regions));
    await saveAll(dataSource, Country, "countries", countries, onImported);
    // Borders point from country to country, so they wait until all of these are there.
    const borders = world.filter((country) => country.borders.length > 0).map(bordersFrom);
    await saveAll(dataSource, Country, "borders", borders, onImported);
  });
}

/** The regions first, then their parts. Returns all of them by name. */
async function importRegions(dataSource: DataSource, onImported: OnImported): Promise<Map<string, Region>> {
  const byName = new Map<string, Region>();
  const save = async (names: Iterable<string>, partOf: (name: string) => Region | null) => {
    const rows = [...new Set(names)].filter((name) => name !== "").map((name) => ({ name, partOf: partOf(name) }));
    for (const region of await dataSource.getRepository(Region).save(rows)) byName.set(region.name, region);
  };
  const regionOfPart = new Map(world.map(({ region, subregion }) => [subregion, region]));
  await save(regionOfPart.values(), () => null);
  await save(regionOfPart.keys(), (name) => byName.get(regionOfPart.get(name) ?? "") ?? null);
  onImported("regions", byName.size, byName.size);
  return byName;
}

function languages(): Language[] {
  const names = new Map(world.flatMap((country) => Object.entries(country.languages)));
  return [...names].map(([code, name]) => ({ code, name }));
}

function currencies(): CurrencyV1[] {
  const labels = new Map<string, string>();
  for (const [code, { name, symbol }] of world.flatMap((country) => Object.entries(country.currencies))) {
    if (!labels.has(code)) labels.set(code, `${name} (${symbol})`);
  }
  return [...labels].map(([code, label]) => ({ code, label }));
}

function countryFrom(country: CountryData, regions: ReadonlyMap<string, Region>): Partial<Country> {
  const [latitude, longitude] = country.latlng;
  return {
    cca3: country.cca3,
    name: country.name.common,
    officialName: country.name.official,
    capital: country.capital[0] ?? null,
    area: String(country.area),
    landlocked: country.landlocked,
    latitude,
    longitude,
    domains: country.tld,
    region: regions.get(country.subregion || country.region) as Region,
    languages: Object.keys(country.languages).map((code) => ({ code })) as Language[],
    currencies: Object.keys(country.currencies).map((code) => ({ code })) as Country["currencies"],
  };
}

function bordersFrom(country: CountryData): Partial<Country> {
  return { cca3: country.cca3, borders: country.borders.map((cca3) => ({ cca3 })) as Country[] };
}

/** How many entities one `save` gets: one transaction and one step of progress. */
const chunk = 50;

async function saveAll<T extends object>(
  dataSource: DataSource,
  entity: new () => T,
  what: string,
  rows: readonly Partial<T>[],
  onImported: OnImported,
): Promise<void> {
  const repository = dataSource.getRepository(entity);
  for (let done = 0; done < rows.length; done += chunk) {
    await repository.save(rows.slice(done, done + chunk) as T[]);
    onImported(what, Math.min(done + chunk, rows.length), rows.length);
  }
}
