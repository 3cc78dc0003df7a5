import { Car, Category, Invoice, InvoiceLine, Truck, Vehicle } from "../entities.js";
import { idsOf, type Path, type Paths } from "./path.js";

const withOne =
  (table: string, work: (...given: [...Parameters<Path>, id: number]) => Promise<unknown>): Path =>
  async (hand, write) => {
    const [id] = await idsOf(hand, table, [write.picks[0]]);
    return id === undefined ? undefined : work(hand, write, id);
  };

export const structures: Paths = {
  "save a car": ({ manager }, { text, number }) => manager.save(Car, { name: text, doors: number % 6 }),
  "save a truck": ({ manager }, { text, number }) => manager.save(Truck, { name: text, load: `${number}.50` }),
  "update vehicles by the parent": withOne("vehicle", ({ manager }, { text }, id) =>
    manager.update(Vehicle, id, { name: text }),
  ),
  "update cars": ({ manager }, { number }) =>
    manager
      .createQueryBuilder()
      .update(Car)
      .set({ doors: number % 6 })
      .execute(),
  "make a vehicle another kind": withOne("vehicle", ({ manager }, _, id) =>
    manager.query("update vehicle set kind = case kind when 'Car' then 'Truck' else 'Car' end where id = $1", [id]),
  ),
  "remove a vehicle": withOne("vehicle", async ({ manager }, _, id) =>
    manager.remove(await manager.findOneByOrFail(Vehicle, { id })),
  ),
  "save a root category": ({ manager }, { text }) => manager.save(Category, { name: text }),
  "save a category under another": withOne("category", ({ manager }, { text }, id) =>
    manager.save(manager.create(Category, { name: text, parent: { id } })),
  ),
  "move a category": withOne("category", async (hand, { picks }, id) => {
    const [other] = await idsOf(hand, "category", [picks[1]]);
    const category = await hand.manager.findOneByOrFail(Category, { id });
    const below = await hand.manager.getTreeRepository(Category).findDescendants(category);
    if (below.some((descendant) => descendant.id === other)) return undefined;
    category.parent = await hand.manager.findOneByOrFail(Category, { id: other ?? id });
    return hand.manager.save(category);
  }),
  "remove a category": withOne("category", async ({ manager }, _, id) =>
    manager.remove(await manager.findOneByOrFail(Category, { id })),
  ),
  "save an invoice with lines": ({ manager }, { text, picks }) =>
    manager.save(Invoice, { title: text, lines: picks.map((pick) => ({ amount: `${pick}.10` })) }),
  "replace the lines of an invoice": withOne("invoice", async ({ manager }, { number }, id) => {
    const invoice = await manager.findOneOrFail(Invoice, { where: { id: String(id) }, relations: { lines: true } });
    invoice.lines = [...invoice.lines.slice(1), manager.create(InvoiceLine, { amount: String(number) })];
    return manager.save(invoice);
  }),
  "set the invoice of a line": withOne("invoice_line", async (hand, { picks }, id) => {
    const [invoice] = await idsOf(hand, "invoice", [picks[1]]);
    return hand.manager
      .createQueryBuilder()
      .relation(InvoiceLine, "invoice")
      .of(id)
      .set(invoice ?? null);
  }),
  "delete an invoice": withOne("invoice", ({ manager }, _, id) => manager.delete(Invoice, String(id))),
};
