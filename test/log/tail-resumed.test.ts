import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import type { EntityManager } from "typeorm";
import type { Capture, LockMode } from "../../src/index.js";
import { application } from "../replay/application.js";
import { seeded } from "../seeded.js";
import { Parcel } from "./tail-load.js";

/** How many events a tail is ended at, one after the other. */
const ends = 70;
const writers = 4;

for (const capture of ["trigger", "subscriber"] satisfies Capture[]) {
  for (const mode of ["shared", "exclusive"] satisfies LockMode[]) {
    describe(`a tail that is ended after every event, under capture by the ${capture} and ${mode} locks`, function () {
      this.timeout(120_000);
      const app = application({ entities: [Parcel], capture, lock: { mode } });
      const random = seeded(3);

      it("goes on after its cursor and gives each event once, a transaction's together", async () => {
        const stranger = await app.connect();
        await stranger.query("begin; select pg_current_xact_id()");
        const given: { position: bigint; transactionId: bigint }[] = [];
        let isWriting = true;

        /** Until the tail has given some more events, so that it stays close to the writers; a lock may keep it waiting. */
        const pause = async (events: number) => {
          const from = given.length;
          for (let left = 40; given.length < from + events && left > 0; left--) await sleep(5);
        };
        const store = async (manager: EntityManager) => {
          for (let rows = 1 + Math.floor(random() * 2); rows > 0; rows--) await manager.save(Parcel, { note: "x" });
          if (random() < 0.5) await pause(random() * 6);
        };
        const orNot = async (part: number) => {
          if (random() < part) throw new Error("rolled back");
        };
        const write = async () => {
          while (isWriting) {
            const work = app.dataSource.transaction(async (manager) => {
              await store(manager);
              const inner = manager.transaction(async (nested) => {
                await store(nested);
                await orNot(0.4);
              });
              await inner.catch(() => undefined);
              if (random() < 0.5) await store(manager);
              await orNot(0.2);
            });
            await work.catch(() => undefined);
            await pause(8 + random() * 8);
          }
        };

        let after: string | bigint = 0n;
        /** Whether there was an event, within some seconds. */
        const take = async () => {
          const tail = app.log.tail({ after, signal: AbortSignal.timeout(5_000) })[Symbol.asyncIterator]();
          const next = await tail.next();
          await tail.return?.();
          if (next.done) return false;
          const { cursor, position, transactionId } = next.value;
          given.push({ position, transactionId });
          after = cursor;
          return true;
        };

        const written = Array.from({ length: writers }, write);
        while (given.length < ends && (await take()));
        isWriting = false;
        await Promise.all(written);
        const stored = await app.sql<{ position: string }>("select position from chronicle.event order by position");
        while (given.length < stored.length && (await take()));

        const sorted = given.map(({ position }) => position).sort((a, b) => Number(a - b));
        expect(sorted.map(String), "each event once").to.deep.equal(stored.map(({ position }) => position));
        const last = new Map<bigint, number>();
        let late = 0;
        for (const [index, { position, transactionId }] of given.entries()) {
          const before = last.get(transactionId);
          if (before !== undefined) {
            expect(before, "events of a transaction come together").to.equal(index - 1);
            expect(Number(given[before]?.position), "and in order").to.be.lessThan(Number(position));
          } else if ([...last.keys()].some((earlier) => earlier > transactionId)) late++;
          last.set(transactionId, index);
        }
        // Who waits for the log's lock before its first write has no transaction id yet.
        if (capture === "subscriber" || mode === "shared")
          expect(late, "transactions that were given after a later one").to.be.greaterThan(0);
      });
    });
  }
}
