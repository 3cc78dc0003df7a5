import type { DataSource } from "typeorm";
import type { PgClient } from "../core/pg-client.js";
import { connect, Session } from "../core/session.js";

/** Longer than this, a server is taken for stalled, and the connection given up. */
const answerMs = 15_000;
const connectMs = 5_000;
/** Nothing written for so long: the connection is closed, so that it keeps no process alive. */
const idleMs = 10_000;

/**
 * The activity log's own connection: an entry never waits for the application's pool, where the very request that records it
 * may hold the last connection. One piece of work at a time.
 */
export class Connection {
  readonly #dataSource: DataSource;
  #client: PgClient | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
  }

  /** Runs work when that before it has ended. After an error the connection is given up: what state it is in is unknown. */
  run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#run(work));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    try {
      this.#client ??= await connect(this.#dataSource, {
        query_timeout: answerMs,
        connectionTimeoutMillis: connectMs,
        application_name: "typeorm-chronicle activity",
      });
      const result = await work(new Session(this.#client));
      this.#idle = setTimeout(() => this.close(), idleMs).unref();
      return result;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    clearTimeout(this.#idle);
    const client: (PgClient & { connection?: { stream?: { destroy(): void } } }) | undefined = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    // A server that is stalled never answers the farewell.
    const hangUp = setTimeout(() => client.connection?.stream?.destroy(), 1_000).unref();
    client.end().then(
      () => clearTimeout(hangUp),
      () => undefined,
    );
  }
}
