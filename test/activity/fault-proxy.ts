import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A way to the database that can be stalled, cut and closed. */
export class FaultProxy {
  readonly #sockets = new Set<Socket>();
  #mode: "open" | "stalled" | "stopped" | "deaf" = "open";

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  static async before(databaseUrl: string): Promise<FaultProxy> {
    const server = createServer();
    const proxy = new FaultProxy(server, new URL(databaseUrl));
    server.on("connection", (client) => proxy.#join(client));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    const url = new URL(this.target);
    url.hostname = "127.0.0.1";
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  /** Nothing gets through, and nobody is told. */
  stall(): void {
    this.#mode = "stalled";
    for (const socket of this.#sockets) socket.pause();
  }

  /** Connections are cut, and new ones too. */
  stop(): void {
    this.#mode = "stopped";
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The server hears and does what it is told; its answers are lost with the connection. */
  loseAnswers(): void {
    this.#mode = "deaf";
  }

  restart(): void {
    this.#mode = "open";
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }

  #join(client: Socket): void {
    client.on("error", () => undefined);
    if (this.#mode === "stopped") return void client.destroy();
    const upstream = connect(Number(this.target.port), this.target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => undefined);
      from.on("data", (chunk) => void (this.#mode === "deaf" && from === upstream ? to.destroy() : to.write(chunk)));
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#mode === "stalled") from.pause();
    }
  }
}
