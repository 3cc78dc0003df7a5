import type { Link } from "../src/core/attachment.js";
import { asEventLogError } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import type { CheckedOptions } from "../src/core/options.js";
import { ownStatement, type PgClient, type PgClientClass } from "../src/core/pg-client.js";
import { sendableContext } from "../src/core/request-context.js";
import { type Connection, type Query, type Send, type Step, withText } from "./connection.js";
import { endOfBegin } from "./statement.js";
import { stepsOf } from "./steps.js";
import { Transaction } from "./transaction.js";

type Callback = (error: unknown, result?: unknown) => void;

const transactions = new WeakMap<object, Transaction>();

/** The transaction of a connection, or undefined where the connection is not one of a TrackedClient. */
export function transactionOf(client: object): Transaction | undefined {
  return transactions.get(client);
}

/** Whether a transaction is open on a connection that was lent to the application, by its commands or by the server. */
export function isInTransaction(client: PgClient): boolean {
  return transactions.get(client)?.open === true || saysInTransaction(client) === true;
}

function saysInTransaction(client: PgClient): boolean | undefined {
  const status = client.getTransactionStatus?.();
  return status == null ? undefined : status !== "I";
}

/**
 * pg's Client, or the application's own, with steps before statements (steps.ts): who and why goes with each write, each transaction
 * passes the gate, a commit flushes. Order on the wire is the order of the calls.
 */
export function trackedClient(Base: PgClientClass, options: CheckedOptions, link: Link): PgClientClass {
  const steps = stepsOf(options, link);

  return class TrackedClient extends Base {
    readonly #connection: Connection = this.#newConnection();
    /** Statements wait here while one that was called before them is being prepared. */
    #pending: Promise<unknown> | undefined;

    // oxlint-disable-next-line typescript/no-explicit-any -- a mixin's constructor takes any arguments
    constructor(...parameters: any[]) {
      super(...parameters);
      // Between the pool's listener and the borrower's, or with a borrower that has none, a backend that ends would end
      // the process. Whoever uses the client next is told by the statement that fails.
      this.on("error", () => undefined);
    }

    // oxlint-disable-next-line typescript/no-explicit-any -- pg's signature has five forms
    override query(given: any, values?: any, callback?: any): any {
      const query: Query = typeof given === "string" ? { text: given } : given;
      if (query?.[ownStatement] === true) return super.query(given);
      const text = query?.text ?? query?.cursor?.text;
      if (typeof text !== "string") return this.#send(given, values, callback);
      try {
        return this.#sendBySteps(given, query, text, values, callback);
      } catch (error) {
        if (error instanceof EventLogError) return refuse(query, values, callback, error);
        throw error;
      }
    }

    #sendBySteps(given: unknown, query: Query, text: string, values: unknown, callback: unknown): unknown {
      const parameters = Array.isArray(values) ? values : ((query as { values?: unknown[] }).values ?? []);
      let statement = {
        query,
        text,
        values: parameters,
        encoded: sendableContext()?.encoded ?? options.context.emptyContext,
      };
      let name: string | undefined;
      const arounds: NonNullable<NonNullable<ReturnType<Step>>["around"]>[] = [];
      for (const step of steps) {
        const taken = step(statement, this.#connection);
        if (taken?.text !== undefined) statement = { ...statement, text: taken.text };
        if (taken?.name !== undefined) name = taken.name;
        if (taken?.around !== undefined) arounds.push(taken.around);
      }
      if (endOfBegin(text) < 0) this.#connection.transaction.follow(text);
      const changed = statement.text === text ? given : withText(given, statement.text, name);
      if (arounds.length === 0) return this.#send(changed, values, callback);
      return this.#inTurn(changed, values, callback, (send) =>
        arounds.reduceRight<Send>((inner, around) => (next) => around(inner, next), send)(changed),
      );
    }

    /** Sends a statement whose preparation takes messages of its own; statements called later wait for it. */
    #inTurn(given: unknown, values: unknown, callback: unknown, prepare: (send: Send) => Promise<unknown>): unknown {
      const parameters = typeof values === "function" ? undefined : values;
      const done = callbackOf(given as Query, values, callback);
      const send: Send = (query) =>
        new Promise((resolve, reject) => {
          const plain = typeof query === "object" ? { ...query, callback: undefined } : query;
          super.query(plain, parameters, (error: Error | null, result: unknown) =>
            error ? reject(error) : resolve(result),
          );
        });
      const before = this.#pending;
      const answer = (async () => {
        await before;
        return prepare(send);
      })();
      const settled = answer.then(
        () => undefined,
        () => undefined,
      );
      this.#pending = settled;
      void settled.then(() => {
        if (this.#pending === settled) this.#pending = undefined;
      });
      if (done === undefined) return answer.catch((error: unknown) => Promise.reject(asEventLogError(error) as Error));
      answer.then(
        (result) => done(null, result),
        (error: unknown) => done(asEventLogError(error)),
      );
      return undefined;
    }

    #send(given: unknown, values: unknown, callback: unknown): unknown {
      if (this.#pending !== undefined) {
        if (typeof (given as Query).submit !== "function")
          return this.#inTurn(given, values, callback, (send) => send(given));
        void this.#pending.then(() => super.query(given, values, callback));
        return given;
      }
      const result: unknown = super.query(given, values, translated(callback));
      return result instanceof Promise
        ? result.catch((error: unknown) => Promise.reject(asEventLogError(error) as Error))
        : result;
    }

    #newConnection(): Connection {
      const transaction = new Transaction();
      transactions.set(this, transaction);
      const own = (text: string, values?: readonly unknown[]) =>
        super.query({ text, ...(values === undefined ? {} : { values }), [ownStatement]: true });
      const { host, port, database } = this as unknown as { host: string; port: number; database: string };
      return {
        transaction,
        isInTransaction: () => saysInTransaction(this),
        own: own as Connection["own"],
        pid: () => (options.context.pooler ? "" : (this as { processID?: unknown }).processID),
        database: `${host}:${port}/${database}`,
      };
    }
  };
}

function callbackOf(query: Query, values: unknown, callback: unknown): Callback | undefined {
  return [values, callback, query.callback].find((candidate) => typeof candidate === "function") as
    Callback | undefined;
}

/** Fails a statement as pg would, without sending it. */
function refuse(query: Query, values: unknown, callback: unknown, error: EventLogError): unknown {
  const done = callbackOf(query, values, callback);
  if (typeof query.submit === "function") throw error;
  if (done === undefined) return Promise.reject(error);
  process.nextTick(() => done(error));
  return undefined;
}

function translated(callback: unknown): unknown {
  return typeof callback === "function"
    ? (error: unknown, result: unknown) => (callback as Callback)(asEventLogError(error), result)
    : callback;
}
