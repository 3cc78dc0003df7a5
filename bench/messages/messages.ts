import type { DataSource } from "typeorm";
import { inRequest } from "../capture/context.js";
import { single } from "../capture/operations.js";
import { withSources } from "../capture/sources.js";
import { withDatabases } from "../database.js";
import { type Report, told } from "../report.js";
import { type Proxy, startProxy } from "./proxy.js";

/** What each operation sends to the server, plain and tracked: tracking is to add neither a message nor a round trip. */
export async function messages(): Promise<Report[]> {
  return withDatabases(4, async (urls) => {
    const proxies = await Promise.all(urls.map((url) => startProxy(url)));
    const [ofPlain, ofTracked, ofSubscriber, ofSigned] = proxies as [Proxy, Proxy, Proxy, Proxy];
    try {
      return await withSources(
        proxies.map(({ url }) => url),
        async ({ plain, tracked, signed, subscriber }) => {
          const rows: Report["rows"][number][] = [];
          for (const { name, run } of single) {
            const operation = (dataSource: DataSource) => run(dataSource, 1);
            const without = await sent(ofPlain, () => operation(plain));
            const tracking = await sent(ofTracked, () => operation(tracked));
            const context = await sent(ofTracked, () => inRequest(() => operation(tracked)));
            const withSignature = await sent(ofSigned, () => inRequest(() => operation(signed)));
            const bySubscriber = await sent(ofSubscriber, () => inRequest(() => operation(subscriber)));
            const row = {
              operation: name,
              plain: without,
              tracked: tracking,
              "with context": context,
              signed: withSignature,
              subscriber: bySubscriber,
              equal: [tracking, context, withSignature, bySubscriber].every((one) => one === without) ? "yes" : "NO",
            };
            rows.push(told(row));
          }
          return [
            {
              title: "Messages to the server per operation (frontend messages / round trips)",
              notes: ["aim: equal to plain TypeORM"],
              rows,
            },
          ];
        },
      );
    } finally {
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  });
}

/** Counted at the second time, when connections are open and statements that are asked once were asked. */
async function sent(proxy: Proxy, operation: () => Promise<unknown>): Promise<string> {
  await operation();
  const { messages: counts, roundTrips } = await counted(proxy, operation);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const parts = [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
  return `${total} / ${roundTrips}  (${parts})`;
}

async function counted(proxy: Proxy, operation: () => Promise<unknown>) {
  const traffic = proxy.count();
  await operation();
  return traffic;
}
