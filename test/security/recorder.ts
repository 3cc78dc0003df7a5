import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import { DataSource, type DataSourceOptions } from "typeorm";
import { ownStatement } from "../../src/core/pg-client.js";
import { type EventLogOptions, withEventLog } from "../../src/index.js";

/** A message of the library's connections to the server. */
export interface Sent {
  readonly text: string;
  /** The search_path that it met: null for one that opens or ends a transaction of the application. */
  readonly path: string | null;
  /** The application's statement that it was made of, or sent for. */
  readonly made: string | undefined;
  /** The library's own, as it says; the application's otherwise, perhaps with something added. */
  readonly own: boolean;
  /** File and line of the library. */
  readonly place: string;
}

/** A warning, with the statement under way. */
export interface Heard {
  readonly message: string;
  readonly during: string;
}

type Given = { text?: string; [ownStatement]?: boolean } | string | undefined;

/** Records what a DataSource sends, on its pool and on connections of the log's own, and every warning that it hears. */
export class Recorder {
  readonly sent: Sent[] = [];
  readonly heard: Heard[] = [];
  readonly #calls = new AsyncLocalStorage<string>();

  /** `onConnect` is SQL that each new connection runs first. */
  constructor(readonly onConnect = "") {}

  /** A DataSource with a log, that is not initialized. */
  dataSource(options: Extract<DataSourceOptions, { type: "postgres" }>, log: EventLogOptions): DataSource {
    const Below = this.#below();
    const tracked = withEventLog({ ...options, extra: { ...options.extra, Client: Below } }, log);
    const extra = tracked.extra as { Client: typeof pg.Client };
    return new DataSource({ ...tracked, extra: { ...extra, Client: this.#above(extra.Client) } });
  }

  /** What the library's own client is made of: sees all that is sent. */
  #below(): typeof pg.Client {
    const { sent, heard, onConnect } = this;
    const calls = this.#calls;
    return class RecordedClient extends pg.Client {
      constructor(...parameters: ConstructorParameters<typeof pg.Client>) {
        super(...parameters);
        this.on("notice", ({ severity, message }) => {
          if (severity !== "WARNING" || message === undefined) return;
          const { _activeQuery: active } = this as unknown as { _activeQuery: { text?: string } | null };
          heard.push({ message, during: active?.text ?? "" });
        });
      }

      // oxlint-disable-next-line typescript/no-explicit-any -- pg's signature has two forms
      override connect(callback?: any): any {
        if (onConnect === "") return callback === undefined ? super.connect() : super.connect(callback);
        const connected = super.connect().then(() => super.query(onConnect));
        if (callback === undefined) return connected.then(() => undefined);
        connected.then(
          () => callback(null),
          (error: Error) => callback(error),
        );
      }

      // oxlint-disable-next-line typescript/no-explicit-any -- pg's signature has five forms
      override query(given: any, ...rest: any[]): any {
        const query = given as Given;
        const text = typeof query === "string" ? query : query?.text;
        const own = typeof query === "object" && query[ownStatement] === true;
        const made = calls.getStore();
        const send = () => (super.query as (...all: unknown[]) => unknown)(given, ...rest);
        if (text === undefined) return send();
        const place = placeOf(new Error("here").stack ?? "");
        if (!own) {
          if (text !== made) sent.push({ text, path: null, made, own, place });
          return send();
        }
        // SHOW takes no snapshot, so it may come before the first statement of a transaction.
        const path = super.query<{ search_path: string }>("show search_path").then(
          ({ rows }) => rows[0]?.search_path ?? "",
          () => null, // the transaction has failed: what comes next ends it
        );
        return path.then((found) => {
          sent.push({ text, path: found, made, own, place });
          return send();
        });
      }
    };
  }

  /** What the application calls: the statement as it wrote it. */
  #above(Client: typeof pg.Client): typeof pg.Client {
    const calls = this.#calls;
    return class CalledClient extends Client {
      // oxlint-disable-next-line typescript/no-explicit-any -- pg's signature has five forms
      override query(given: any, ...rest: any[]): any {
        const query = given as Given;
        const send = () => (super.query as (...all: unknown[]) => unknown)(given, ...rest);
        if (typeof query === "object" && query[ownStatement] === true) return send();
        const text = typeof query === "string" ? query : query?.text;
        return text === undefined ? send() : calls.run(text, send);
      }
    };
  }
}

/** The first line of the library's rooms that is about a statement, and not about how statements are sent. */
function placeOf(stack: string): string {
  const lines = stack.split("\n").filter((line) => !/Session\.(#send|rows|row|typedRows|write|run) /.test(line));
  const places = lines.map((line) => {
    const path = line.slice(line.indexOf(ROOT) + ROOT.length);
    const [, place, file] = /^\/(?:dist\/)?(((?:src|replay|subscribers)\/[^():]+):\d+)/.exec(path) ?? [];
    return file !== undefined && existsSync(join(ROOT, file)) ? place : undefined; // TypeORM has a folder src too
  });
  const known = places.filter((place) => place !== undefined && !place.startsWith("subscribers/client"));
  return known[0] ?? (stack.includes("PostgresQueryRunner") ? "TypeORM on a session of the log" : "");
}
