import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { FrontendReader } from "../../bench/messages/frontend-reader.js";

/** Where a connection is cut: before a message goes on, after it went, or when its answer has come back and is kept from the client. */
export type Cut = "before" | "after" | "answer lost";

/** Stands between clients and the server of `url`; passes everything on until it is told to cut. */
export class CuttingProxy {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ noDelay: true }, (client) => this.#join(client));
  #order: { messages: number; cut: Cut; wanted: (message: Buffer) => boolean; done: () => void } | undefined;
  #target: URL;

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  static async start(target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Cuts one connection at the n-th message from now on that is wanted; resolves when that happened. */
  cut(messages: number, cut: Cut, wanted: (message: Buffer) => boolean = () => true): Promise<void> {
    return new Promise((done) => (this.#order = { messages, cut, wanted, done }));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket): void {
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port), noDelay: true });
    let keepsAnswer = false;
    const sever = () => {
      client.destroy();
      server.destroy();
    };
    const reader = new FrontendReader((_, message) => {
      const cut = this.#takes(message);
      if (cut === "before") return sever();
      server.write(message);
      if (cut === "after") server.end(() => sever());
      if (cut === "answer lost") keepsAnswer = true;
      return undefined;
    });
    client.on("data", (chunk) => reader.read(chunk));
    server.on("data", (chunk) => (keepsAnswer ? sever() : client.write(chunk)));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", sever);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        sever();
      });
    }
  }

  #takes(message: Buffer): Cut | undefined {
    const order = this.#order;
    if (order === undefined || !order.wanted(message) || --order.messages > 0) return undefined;
    this.#order = undefined;
    order.done();
    return order.cut;
  }
}
