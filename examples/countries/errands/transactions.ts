import { type EntityManager, QueryFailedError } from "typeorm";
import { ada, linus } from "../actors.js";
import { Country, Region } from "../model.js";
import type { Errand } from "./errand.js";

/** What a transaction takes back leaves no event. */
export const transactionErrands: readonly Errand[] = [
  {
    by: linus,
    why: "The United Nations know no Southeast Europe",
    ticket: "REG-1",
    how: "transaction, rolled back",
    run: async (manager) => {
      await manager
        .transaction(async (transaction) => {
          await moveCountries(transaction, "Southeast Europe", "Southern Europe");
          await transaction.delete(Region, { name: "Southeast Europe" });
          throw new NotAgreed();
        })
        .catch((error: unknown) => ignore(error, NotAgreed));
      return 2;
    },
  },
  {
    by: ada,
    why: "Then spell the regions as the United Nations do",
    ticket: "REG-2",
    how: "transaction, inner one rolled back",
    run: (manager) =>
      manager.transaction(async (transaction) => {
        await transaction.update(Region, { name: "Southeast Europe" }, { name: "South-Eastern Europe" });
        // Countries refer to it, so the foreign key refuses: the inner transaction fails alone.
        await transaction
          .transaction((inner) => inner.delete(Region, { name: "Central Europe" }))
          .catch((error: unknown) => ignore(error, QueryFailedError));
        await transaction.update(Region, { name: "North America" }, { name: "Northern America" });
        return 3;
      }),
  },
];

class NotAgreed extends Error {}

function ignore(error: unknown, expected: abstract new (...args: never[]) => Error): void {
  if (!(error instanceof expected)) throw error;
}

async function moveCountries(manager: EntityManager, from: string, to: string): Promise<void> {
  const target = await manager.findOneByOrFail(Region, { name: to });
  const source = await manager.findOneByOrFail(Region, { name: from });
  await manager.update(Country, { region: { id: source.id } }, { region: target });
}
