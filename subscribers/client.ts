import { asEventLogError, stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import type { CheckedOptions } from "../src/core/options.js";
import { ownStatement, type PgClientClass } from "../src/core/pg-client.js";
import { sendableContext } from "../src/core/request-context.js";
import { quoteIdentifier, quoteLiteral } from "../src/core/sql.js";
import { endOfBegin, endsTransaction, fitsInTransaction, mayWrite, returnsToSavepoint } from "./statement.js";

/** A comment reaches server logs and pg_stat_activity, so it stays small; more goes by `set local`. */
const largestComment = 1_024;

type Callback = (error: unknown, result?: unknown) => void;

/** A statement as pg takes it: text, a config, or an object that submits itself (a cursor, a stream, a COPY). */
interface Query {
  readonly text?: string;
  readonly name?: string;
  readonly submit?: unknown;
  readonly cursor?: { text?: string };
  readonly callback?: unknown;
  readonly [ownStatement]?: boolean;
}

/** What the server has been told of who and why in the transaction that is open; undefined where that is not known. */
type Told = string | undefined;

/**
 * pg's Client, or the application's own, with steps before statements: who and why goes with each write, and each
 * transaction passes the gate. It adds no message of its own, but for a context that is too large for a comment, and the
 * question whether there is a gate, asked until the answer is yes.
 */
export function trackedClient(Base: PgClientClass, { schema, limits }: CheckedOptions): PgClientClass {
  const gate = `${quoteIdentifier(schema)}.gate`;
  /** Databases whose gate was seen: a DataSource may be made anew for another database with the same options. */
  const gates = new Set<string>();

  return class TrackedClient extends Base {
    #told: Told = "";
    #open = false;
    /** Statements wait here while one that was called before them is being prepared: order on the wire is order of the calls. */
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
      const context = sendableContext();
      if (context !== undefined && (context.json.bytes > limits.metadataBytes || context.json.depth > limits.depth)) {
        return this.#refuse(query, values, callback, tooLarge(context.json, limits));
      }
      const encoded = context?.encoded ?? "";
      if (endOfBegin(text) >= 0) return this.#begin(given, text, encoded, values, callback);
      const told = this.#follow(text);
      if (encoded === told || !mayWrite(text) || (encoded === "" && endsTransaction(text)))
        return this.#send(given, values, callback);
      return this.#tell(given, text, encoded, values, callback);
    }

    /** Keeps track of what the server knows, at the call, so that statements sent without waiting are right too. */
    #follow(text: string): Told {
      const told = this.#told;
      if (endsTransaction(text)) {
        this.#told = "";
        this.#open = false;
      } else if (this.#open && returnsToSavepoint(text)) this.#told = undefined;
      return told;
    }

    /** Who and why, and the gate, in the message that opens the transaction: commands that take no snapshot. */
    #begin(given: unknown, text: string, encoded: string, values: unknown, callback: unknown): unknown {
      this.#told = encoded;
      this.#open = !endsTransaction(text);
      if (!this.#open) this.#told = "";
      const at = endOfBegin(text);
      const opening = (passGate: boolean) => {
        const steps = [
          ...(encoded === "" ? [] : [setContext(encoded)]),
          ...(passGate ? [`lock table ${gate} in access share mode`] : []),
        ];
        return {
          steps: steps.length,
          text: steps.length === 0 ? text : `${text.slice(0, at)}; ${steps.join("; ")}${text.slice(at)}`,
        };
      };
      return this.#inTurn(given, values, callback, async (send) => {
        const passGate = await this.#hasGate();
        const first = opening(passGate);
        try {
          return withoutSteps(await send(withText(given, first.text)), first.steps);
        } catch (error) {
          if (!passGate || stateOf(error) !== "42P01") throw this.#forget(error);
          gates.delete(this.#database());
          await this.#own("rollback");
          const again = opening(false);
          return withoutSteps(await send(withText(given, again.text)), again.steps);
        }
      });
    }

    #forget(error: unknown): unknown {
      this.#told = "";
      this.#open = false;
      return error;
    }

    /** Who and why, for one statement: as a comment in front of it where that fits, else by `set local`. */
    #tell(given: unknown, text: string, encoded: string, values: unknown, callback: unknown): unknown {
      const { name, submit } = (typeof given === "string" ? {} : given) as Query;
      const named = name !== undefined && name !== "";
      const alone = !this.#open && !endsTransaction(text);
      const wrap = alone && submit === undefined && fitsInTransaction(text);
      if (!named && (encoded.length <= largestComment || (alone && !wrap))) {
        return this.#send(withText(given, `/*chronicle:${encoded}*/${text}`), values, callback);
      }
      if (alone && !wrap) return this.#send(given, values, callback);
      return this.#inTurn(given, values, callback, async (send) => {
        if (!alone || this.#isInTransaction()) {
          await this.#own(setContext(encoded));
          if (this.#open) this.#told = encoded;
          return send(given);
        }
        const passGate = await this.#hasGate();
        await this.#own(
          `start transaction; ${setContext(encoded)}${passGate ? `; lock table ${gate} in access share mode` : ""}`,
        );
        try {
          const result = await send(given);
          await this.#own("commit");
          return result;
        } catch (error) {
          await this.#own("rollback");
          throw error;
        }
      });
    }

    /** Sends a statement whose preparation takes messages of its own; statements called later wait for it. */
    #inTurn(
      given: unknown,
      values: unknown,
      callback: unknown,
      prepare: (send: (query: unknown) => Promise<unknown>) => Promise<unknown>,
    ): unknown {
      const parameters = typeof values === "function" ? undefined : values;
      const done = [values, callback, (given as Query).callback].find(
        (candidate) => typeof candidate === "function",
      ) as Callback | undefined;
      const send = (query: unknown) =>
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

    #refuse(query: Query, values: unknown, callback: unknown, error: EventLogError): unknown {
      const done = [values, callback, query.callback].find((candidate) => typeof candidate === "function") as
        Callback | undefined;
      if (typeof query.submit === "function") throw error;
      if (done === undefined) return Promise.reject(error);
      process.nextTick(() => done(error));
      return undefined;
    }

    async #hasGate(): Promise<boolean> {
      const database = this.#database();
      if (gates.has(database)) return true;
      const { rows } = await this.#own(`select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = ${quoteLiteral(schema)} and c.relname = 'gate' and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')`);
      if (rows.length > 0) gates.add(database);
      return rows.length > 0;
    }

    /** As the server said with its last answer: a transaction of the application is never ended by one of ours. */
    #isInTransaction(): boolean {
      const { getTransactionStatus } = this as { getTransactionStatus?: () => string | null };
      return ["T", "E"].includes(getTransactionStatus?.call(this) ?? "");
    }

    #own(text: string): Promise<{ rows: unknown[] }> {
      return super.query({ text, [ownStatement]: true }) as Promise<{ rows: unknown[] }>;
    }

    #database(): string {
      const { host, port, database } = this as unknown as { host: string; port: number; database: string };
      return `${host}:${port}/${database}`;
    }
  };
}

function setContext(encoded: string): string {
  return `set local chronicle.context = '${encoded}'`;
}

function withText(given: unknown, text: string): unknown {
  if (typeof given === "string") return text;
  const query = given as { text?: string; cursor?: { text?: string }; submit?: unknown };
  if (query.submit === undefined) return { ...query, text };
  if (query.cursor?.text !== undefined) query.cursor.text = text;
  else query.text = text;
  return query;
}

/** The answer without the results of the steps that were sent along. */
function withoutSteps(result: unknown, steps: number): unknown {
  if (steps === 0 || !Array.isArray(result)) return result;
  const rest = [result[0] as unknown, ...result.slice(1 + steps)];
  return rest.length === 1 ? rest[0] : rest;
}

function translated(callback: unknown): unknown {
  return typeof callback === "function"
    ? (error: unknown, result: unknown) => (callback as Callback)(asEventLogError(error), result)
    : callback;
}

function tooLarge({ bytes, depth }: { bytes: number; depth: number }, limits: CheckedOptions["limits"]): EventLogError {
  return bytes > limits.metadataBytes
    ? new EventLogError(
        "LIMIT_EXCEEDED",
        `The request context has ${bytes} bytes, more than limits.metadataBytes (${limits.metadataBytes}).`,
      )
    : new EventLogError(
        "LIMIT_EXCEEDED",
        `The request context is nested ${depth} levels deep, more than limits.depth (${limits.depth}).`,
      );
}
