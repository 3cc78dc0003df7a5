import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { withPooledSession } from "../../src/core/session.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Lamp {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

const times = 100;

describe("a backend that is terminated", () => {
  let application: TrackedApplication;
  const uncaught: Error[] = [];
  const note = (error: Error) => void uncaught.push(error);
  let handlers: NodeJS.UncaughtExceptionListener[];

  before(async () => {
    application = await TrackedApplication.start([Lamp], { dataSource: { poolSize: 3 } });
    handlers = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", note);
  });
  after(async () => {
    process.off("uncaughtException", note);
    for (const handler of handlers) process.on("uncaughtException", handler);
    await application?.stop();
  });

  it(`does not bring the process down, whatever the library is doing on it (${times} times)`, async function () {
    this.timeout(120_000);
    const { log, dataSource, manager } = application;
    const lamp = await manager.save(Lamp, { name: "desk" });
    let failed = 0;
    for (let time = 0; time < times; time++) {
      const work = [
        () => withPooledSession(dataSource, (session) => session.run("select pg_sleep(0.02)")),
        () => withPooledSession(dataSource, () => new Promise((resolve) => setTimeout(resolve, 20))),
        () => log.status(),
        () => log.bookmark(`moment ${time}`),
        () => log.at(Lamp, lamp.id, new Date()),
        () => log.verify(),
        () => manager.save(Lamp, { name: "floor" }),
        () =>
          manager.transaction(async (inside) => {
            await inside.save(Lamp, { name: "wall" });
            await new Promise((resolve) => setTimeout(resolve, 5));
          }),
      ][time % 8] as () => Promise<unknown>;
      const running = work().catch(() => failed++);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      await application.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      await running;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(uncaught.map(({ message }) => message)).to.deep.equal([]);
    expect(failed, "work that was hit").to.be.greaterThan(times / 10);
    expect(await manager.count(Lamp)).to.equal((await log.verify()).checked);
    expect((await log.verify()).equal).to.equal(true);
  });
});
