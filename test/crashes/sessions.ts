import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { withPooledSession } from "../../src/core/session.js";
import { Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Lamp {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

/**
 * Terminates every backend of an application, again and again, while the library works on one of them. What it throws reaches
 * its caller and never the process. Returns how often the work was hit.
 */
export async function terminateUnderWork(times: number, onProgress?: (done: number) => void): Promise<number> {
  const uncaught: Error[] = [];
  const note = (error: Error) => void uncaught.push(error);
  const handlers = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", note);
  const application = await TrackedApplication.start([Lamp], { dataSource: { poolSize: 3 } });
  try {
    const { log, manager } = application;
    const lamp = await manager.save(Lamp, { name: "desk" });
    let hit = 0;
    for (let time = 0; time < times; time++) {
      const running = work(application, lamp.id, time).catch(() => hit++);
      await sleep(Math.random() * 10);
      await application.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      await running;
      onProgress?.(time + 1);
    }
    await sleep(50);
    expect(uncaught.map(({ message }) => message)).to.deep.equal([]);
    const { equal, checked } = await log.verify();
    expect(await manager.count(Lamp)).to.equal(checked);
    expect(equal).to.equal(true);
    return hit;
  } finally {
    process.off("uncaughtException", note);
    for (const handler of handlers) process.on("uncaughtException", handler);
    await application.stop();
  }
}

/** What the library does on a connection, each in its turn. */
async function work({ log, dataSource, manager }: TrackedApplication, id: number, time: number): Promise<unknown> {
  switch (time % 8) {
    case 0:
      return withPooledSession(dataSource, (session) => session.run("select pg_sleep(0.02)"));
    case 1:
      return withPooledSession(dataSource, () => sleep(20));
    case 2:
      return log.status();
    case 3:
      return log.bookmark(`moment ${time}`);
    case 4:
      return log.at(Lamp, id, new Date());
    case 5:
      return log.verify();
    case 6:
      return manager.save(Lamp, { name: "floor" });
    default:
      return manager.transaction(async (inside) => {
        await inside.save(Lamp, { name: "wall" });
        await sleep(5);
      });
  }
}
