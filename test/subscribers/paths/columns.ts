import { full, Specimen } from "../entities/specimen.js";
import { Longest, OrderLine, Reserved } from "../entities/structures.js";
import { type Desk, unique, type WritePaths } from "./write-path.js";

let lastOrder = 0;
const price = () => ({ net: { amount: "10.50", currency: "EUR" }, tax: { amount: "1.995", currency: "EUR" } });
const aLine = ({ manager }: Desk): Promise<OrderLine> =>
  manager.save(Object.assign(new OrderLine(), { order: ++lastOrder, sku: unique("sku"), price: price() }));

const empty = Object.fromEntries(Object.keys(full).map((column) => [column, null]));

export const keysAndColumns: WritePaths = {
  "updates by a composite key": [
    { create: 1, update: 1 },
    (desk) => async () => {
      const line = await aLine(desk);
      await desk.manager.save(Object.assign(line, { quantity: 2 }));
    },
  ],
  "changes a composite key by criteria": [
    { create: 1, destroy: 1 },
    async (desk) => {
      const { order, sku } = await aLine(desk);
      return () => desk.manager.update(OrderLine, { order, sku }, { order: ++lastOrder });
    },
  ],
  "moves keys on in one statement": [
    { create: 3, destroy: 3 },
    async (desk) => {
      const sku = unique("moved");
      for (const order of [1, 2, 3]) await desk.manager.insert(OrderLine, { order: order * 1000, sku, price: price() });
      return () => desk.manager.update(OrderLine, { sku }, { order: () => "order_number + 1000000" });
    },
  ],
  "updates embedded columns": [
    { update: 1 },
    async (desk) => {
      const line = await aLine(desk);
      line.price.tax.amount = "2.1";
      return () => desk.manager.save(line);
    },
  ],
  "saves every type of column": [
    { create: 1 },
    ({ manager }) =>
      () =>
        manager.save(Object.assign(new Specimen(), full)),
  ],
  "inserts and updates every type of column": [
    { create: 1, update: 2 },
    ({ manager }) =>
      async () => {
        const { identifiers } = await manager.insert(Specimen, { ...full });
        await manager.update(Specimen, identifiers[0]!.id, empty);
        await manager.update(Specimen, identifiers[0]!.id, { ...full });
      },
  ],
  "saves what it has read": [
    {},
    async ({ manager }) => {
      const { id } = await manager.save(Object.assign(new Specimen(), { ...full, place: null, pairs: null }));
      const read = await manager.findOneByOrFail(Specimen, { id });
      return () => manager.save(read);
    },
  ],
  "lets the database generate columns and defaults": [
    { create: 1, update: 1 },
    ({ manager }) =>
      async () => {
        const { id } = await manager.save(Object.assign(new Longest(), { name: "by default" }));
        await manager.update(Longest, { id }, { lucky: 21 });
      },
  ],
  "writes under names that SQL must quote": [
    { create: 1, update: 2, destroy: 1 },
    ({ manager }) =>
      async () => {
        const row = await manager.save(
          Object.assign(new Reserved(), { greeting: "hi", alias: "t", rows: "r", longest: 1 }),
        );
        await manager.save(Object.assign(row, { greeting: "it's", rows: null }));
        await manager.update(Reserved, { id: row.id }, { longest: 2, place: "'; -- \\" });
        await manager.remove(row);
      },
  ],
};
