import type { DataSource } from "typeorm";

/**
 * Makes about `events` events by ordinary writes, as capture records them: 60 % creates, 32 % updates, 8 % destroys,
 * a third of these by a cascade. Set-based, because a million writes through repositories take an hour.
 */
export async function makeHistory(dataSource: DataSource, events: number): Promise<void> {
  const share = (part: number) => Math.max(1, Math.round(events * part));
  const customers = share(0.1);
  const purchases = share(0.2);
  const items = share(0.3);
  const statements = [
    `insert into customer (id, number, name, email, city, preferences, updated_at)
      select gen_random_uuid(), n, 'Customer ' || n, 'customer.' || n || '@example.com', 'London', jsonb_build_object('theme', 'dark', 'newsletter', n % 2 = 0), now()
      from generate_series(1, ${customers}) n`,
    `insert into purchase (id, customer_id, number, state, total, updated_at)
      select gen_random_uuid(), c.id, n, 'new', n % 900, now()
      from generate_series(1, ${purchases}) n join customer c on c.number = 1 + n % ${customers} order by n`,
    `insert into purchase_item (purchase_id, product, quantity, price)
      select p.id, 'Product ' || n % 500, 1 + n % 5, 5 + n % 95
      from generate_series(1, ${items}) n join purchase p on p.number = 1 + n % ${purchases} order by n`,
    `update customer set city = 'Paris', updated_at = now() where number <= ${share(0.06)}`,
    `update purchase set state = 'paid', updated_at = now() where number <= ${share(0.1)}`,
    `update purchase set state = 'sent', total = total + 5, updated_at = now() where number <= ${share(0.1)}`,
    `update purchase_item set quantity = quantity + 1 where id <= ${share(0.06)}`,
    `delete from purchase_item where id <= ${share(0.03)}`,
    `delete from purchase where number > ${purchases - share(0.02)}`,
  ];
  for (const statement of statements) await dataSource.query(statement);
  await dataSource.query("vacuum analyze");
}
