import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { FrontendReader } from "./frontend-reader.js";

/** What went to the server since the count began. */
export interface Traffic {
  /** Frontend messages by name (protocol.ts). */
  readonly messages: Map<string, number>;
  /** How often the client spoke after the server had: what a slow network multiplies. */
  roundTrips: number;
}

export interface Proxy {
  readonly url: string;
  /** Forgets what was counted and returns the new, empty count, which fills from then on. */
  count(): Traffic;
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** How long bytes are on their way, in each direction, in milliseconds; a timer adds up to one more. (Default: 0) */
  readonly delayMs?: number;
}

/** Stands between a client and the server of `url` and counts; passes every byte on as it is. */
export async function startProxy(url: string, { delayMs = 0 }: ProxyOptions = {}): Promise<Proxy> {
  const target = new URL(url);
  let traffic = emptyTraffic();
  // Timers of one length fire in the order in which they were set, so bytes stay in order.
  const later = (work: () => void) => (delayMs === 0 ? work() : void setTimeout(work, delayMs));
  const sockets = new Set<Socket>();
  const proxy = createServer({ noDelay: true }, (client) => {
    const server = connect({ host: target.hostname, port: Number(target.port || 5432), noDelay: true });
    const reader = new FrontendReader((name) => {
      traffic.messages.set(name, (traffic.messages.get(name) ?? 0) + 1);
    });
    let serverSpoke = true;
    client.on("data", (chunk) => {
      reader.read(chunk);
      if (serverSpoke) traffic.roundTrips++;
      serverSpoke = false;
      later(() => server.write(chunk));
    });
    server.on("data", (chunk) => {
      serverSpoke = true;
      later(() => client.write(chunk));
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        later(() => other.end());
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String((proxy.address() as AddressInfo).port);
  return {
    url: through.href,
    count: () => (traffic = emptyTraffic()),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => proxy.close(() => resolve()));
    },
  };
}

function emptyTraffic(): Traffic {
  return { messages: new Map(), roundTrips: 0 };
}
