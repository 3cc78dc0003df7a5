/**
 * The application under load, as a process of its own: `node writer.js <url> <name> <loops>`. It tells over IPC what its
 * transactions came to: begun; then done (acknowledged), failed (an error before COMMIT was sent, or the database's refusal
 * of it), or unknown (COMMIT was sent and no answer came). It starts with "go" and stops with "stop".
 */
import "reflect-metadata";
import type { QueryRunner } from "typeorm";
import { eventLog, withRequestContext } from "../../src/index.js";
import { newDataSource } from "../tracked-application.js";
import { Account, accounts, Entry } from "./entities.js";

export type Told =
  | { readonly begun: string }
  | { readonly done: string }
  | { readonly failed: string; readonly state: string }
  | { readonly unknown: string };

const [url = "", name = "", loops = "4"] = process.argv.slice(2);
let stopping = false;
const told = started();

const tell = (told: Told) => void process.send?.(told);

function started(): { readonly go: Promise<void>; start(): void } {
  let start = (): void => undefined;
  const go = new Promise<void>((resolve) => (start = resolve));
  return { go, start };
}

async function main(): Promise<void> {
  const dataSource = newDataSource(url, [Account, Entry], {
    poolSize: Number(loops) + 1,
    extra: { connectionTimeoutMillis: 2_000 },
    logging: false,
  });
  // One that gets ready while the server comes back tries again.
  while (!dataSource.isInitialized) await dataSource.initialize().catch(() => pause(100));
  await told.go;
  const write = async (loop: number) => {
    for (let serial = 0; !stopping; serial++) {
      const runner = dataSource.createQueryRunner();
      await transaction(runner, `${name}.${loop}.${serial}`, serial);
      await runner.release().catch(() => undefined);
    }
  };
  const read = async () => {
    while (!stopping) {
      await eventLog(dataSource)
        .history(Account, 1 + Math.floor(Math.random() * accounts))
        .catch(() => undefined);
      await pause(50);
    }
  };
  await Promise.all([...Array.from({ length: Number(loops) }, (_, loop) => write(loop)), read()]);
  await dataSource.destroy().catch(() => undefined);
  process.disconnect?.();
}

/** New entries, and a transfer between two accounts in the order of their ids; every seventh is taken back. */
async function transaction(runner: QueryRunner, mark: string, serial: number): Promise<void> {
  const entries = 1 + (serial % 4);
  const [from, to] = [1 + (serial % accounts), 1 + ((serial * 5 + 2) % accounts)];
  const transfers = from === to ? [] : [from, to].toSorted((a, b) => a - b);
  const metadata = { mark, expected: entries + transfers.length, long: "x".repeat(serial % 3 === 0 ? 1500 : 5) };
  let committing = false;
  tell({ begun: mark });
  try {
    await withRequestContext({ actor: { type: "writer", id: mark }, metadata }, async () => {
      await runner.startTransaction();
      await runner.manager.save(
        Entry,
        Array.from({ length: entries }, () => ({ mark, account: { id: from } })),
      );
      for (const id of transfers) await runner.manager.increment(Account, { id }, "balance", id === from ? -1 : 1);
      if (serial % 7 === 6) throw new Error("taken back");
      committing = true;
      await runner.commitTransaction();
    });
    tell({ done: mark });
  } catch (error) {
    const state = (error as { code?: string }).code ?? "";
    // Of the errors of a COMMIT only the database's own verdict says that there was none.
    if (committing && !/^(?:23|40)/.test(state)) tell({ unknown: mark });
    else tell({ failed: mark, state });
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    if (/^(?:|57P|08|E[A-Z]+)/.test(state)) await pause(20);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

process.on("message", (message) => {
  if (message === "go") told.start();
  else stopping = true;
});
process.on("disconnect", () => process.exit(0));
void main();
