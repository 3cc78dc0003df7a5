import type { DataSource } from "typeorm";

/** Events of one transaction. */
const perTransaction = 1_000;
/** Transactions between rows and what happens to them later. */
const lag = 10;

/** Of a transaction's events: how many rows of each table are made, and how many of those are changed and deleted later. */
const made = { customers: 0.1, purchases: 0.2, items: 0.3 };
const later = { moved: 0.06, paid: 0.1, sent: 0.1, counted: 0.06, itemsDeleted: 0.03, purchasesDeleted: 0.02 };

/**
 * Makes about `events` events by ordinary writes, as capture records them: 60 % creates, 32 % updates, 8 % destroys,
 * a third of these by a cascade; in transactions of about a thousand. Set-based, because a million writes through repositories
 * take an hour.
 */
export async function makeHistory(dataSource: DataSource, events: number): Promise<void> {
  const size = Math.min(perTransaction, events);
  const transactions = Math.round(events / size);
  for (let index = 0; index < transactions + lag; index++) {
    const statements = [
      ...(index < transactions ? creates(index, size) : []),
      ...(index >= lag ? changes(index - lag, size) : []),
    ];
    await dataSource.transaction(async (manager) => {
      for (const statement of statements) await manager.query(statement);
    });
  }
  await dataSource.query("vacuum analyze");
}

/** Numbers of the rows that the transaction `index` makes, from 1 on; of their `part` alone, from the first or up to the last. */
function numbers(index: number, count: number, part = count): [from: number, to: number] {
  return [index * count + 1, index * count + part];
}

function counts<Name extends string>(shares: Record<Name, number>, size: number): Record<Name, number> {
  const entries = Object.entries<number>(shares).map(([name, part]) => [name, Math.max(1, Math.round(size * part))]);
  return Object.fromEntries(entries) as Record<Name, number>;
}

const uuid = (of: string, number: string) => `md5('${of} ' || ${number})::uuid`;

function creates(index: number, size: number): string[] {
  const { customers, purchases, items } = counts(made, size);
  const series = (count: number) => `generate_series(${numbers(index, count).join(", ")}) n`;
  /** A row of this transaction that the row `n` belongs to. */
  const parent = (count: number) => `(${index * count} + 1 + n % ${count})`;
  return [
    `insert into customer (id, number, name, email, city, preferences, updated_at)
      select ${uuid("customer", "n")}, n, 'Customer ' || n, 'customer.' || n || '@example.com', 'London', jsonb_build_object('theme', 'dark', 'newsletter', n % 2 = 0), now()
      from ${series(customers)}`,
    `insert into purchase (id, customer_id, number, state, total, updated_at)
      select ${uuid("purchase", "n")}, ${uuid("customer", parent(customers))}, n, 'new', n % 900, now() from ${series(purchases)}`,
    `insert into purchase_item (id, purchase_id, product, quantity, price)
      select n, ${uuid("purchase", parent(purchases))}, 'Product ' || n % 500, 1 + n % 5, 5 + n % 95 from ${series(items)}`,
  ];
}

function changes(index: number, size: number): string[] {
  const { customers, purchases, items } = counts(made, size);
  const { moved, paid, sent, counted, itemsDeleted, purchasesDeleted } = counts(later, size);
  const between = ([from, to]: [number, number]) => `between ${from} and ${to}`;
  const purchasesOf = ([from, to]: [number, number]) =>
    `id in (select ${uuid("purchase", "n")} from generate_series(${from}, ${to}) n)`;
  const [, last] = numbers(index, purchases);
  return [
    `update customer set city = 'Paris', updated_at = now() where number ${between(numbers(index, customers, moved))}`,
    `update purchase set state = 'paid', updated_at = now() where ${purchasesOf(numbers(index, purchases, paid))}`,
    `update purchase set state = 'sent', total = total + 5, updated_at = now() where ${purchasesOf(numbers(index, purchases, sent))}`,
    `update purchase_item set quantity = quantity + 1 where id ${between(numbers(index, items, counted))}`,
    `delete from purchase_item where id ${between(numbers(index, items, itemsDeleted))}`,
    `delete from purchase where ${purchasesOf([last - purchasesDeleted + 1, last])}`,
  ];
}
