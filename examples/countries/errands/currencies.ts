import { ada, linus, nightlyJob } from "../actors.js";
import { Country, Currency, Language } from "../model.js";
import type { Errand } from "./errand.js";

/** New money and a new official language: mostly many-to-many. */
export const currencyErrands: readonly Errand[] = [
  {
    by: ada,
    why: "Bulgaria has the euro since 2026",
    ticket: "CUR-3",
    how: "save, many-to-many",
    run: async (manager) => {
      const bulgaria = await manager.findOneOrFail(Country, {
        where: { cca3: "BGR" },
        relations: { currencies: true },
      });
      bulgaria.currencies = [await manager.findOneByOrFail(Currency, { code: "EUR" })];
      await manager.save(bulgaria);
      return 1;
    },
  },
  {
    by: ada,
    why: "Curaçao and Sint Maarten have the Caribbean guilder since 2025",
    ticket: "CUR-4",
    how: "many-to-many, query builder",
    run: async (manager) => {
      await manager.insert(Currency, { code: "XCG", name: "Caribbean guilder", symbol: "Cg" });
      const currencies = manager.createQueryBuilder().relation(Country, "currencies");
      await currencies.of("CUW").addAndRemove("XCG", "ANG");
      await currencies.of("SXM").addAndRemove("XCG", "ANG");
      return 3;
    },
  },
  {
    by: linus,
    why: "Sierra Leone took three zeros off the leone in 2022",
    ticket: "CUR-5",
    how: "transaction",
    run: (manager) =>
      manager.transaction(async (transaction) => {
        await transaction.save(Currency, { code: "SLE", name: "Sierra Leonean leone", symbol: "Le" });
        await transaction.createQueryBuilder().relation(Country, "currencies").of("SLE").add("SLE");
        await transaction.remove(await transaction.findOneByOrFail(Currency, { code: "SLL" }));
        return 3;
      }),
  },
  {
    by: nightlyJob,
    why: "Names and symbols from the ISO 4217 list",
    how: "upsert",
    run: async (manager) => {
      const listed = [
        { code: "DKK", name: "Danish krone", symbol: "kr." },
        { code: "EUR", name: "Euro", symbol: "€" },
        { code: "UZS", name: "Uzbekistani sum", symbol: "soʻm" },
        { code: "ZWG", name: "Zimbabwe Gold", symbol: "ZiG" },
      ];
      await manager.upsert(Currency, listed, ["code"]);
      return 1;
    },
  },
  {
    by: linus,
    why: "Withdrawn: the convertible peso in 2021, the bond notes in 2024",
    ticket: "CUR-6",
    how: "delete by criteria",
    run: async (manager) => {
      await manager.delete(Currency, ["CUC", "ZWB"]);
      return 1;
    },
  },
  {
    by: ada,
    why: "South African Sign Language is official since 2023",
    ticket: "LANG-1",
    how: "many-to-many, query builder",
    run: async (manager) => {
      await manager.save(Language, { code: "sfs", name: "South African Sign Language" });
      await manager.createQueryBuilder().relation(Country, "languages").of("ZAF").add("sfs");
      return 2;
    },
  },
  {
    by: nightlyJob,
    why: "Languages from the ISO 639-3 list, where they are missing",
    how: "insert or ignore",
    run: async (manager) => {
      const listed = [
        { code: "fra", name: "French" },
        { code: "sfs", name: "South African Sign Language" },
        { code: "ase", name: "American Sign Language" },
      ];
      await manager.createQueryBuilder().insert().into(Language).values(listed).orIgnore().execute();
      return 1;
    },
  },
  {
    by: ada,
    why: "An island; the package lists this border on one side only",
    ticket: "GEO-6",
    how: "many-to-many, query builder",
    run: async (manager) => {
      await manager.createQueryBuilder().relation(Country, "borders").of("LKA").remove("IND");
      return 1;
    },
  },
];
