import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { TrackedApplication } from "../tracked-application.js";
import { rows, startActivity } from "./activity-log.js";

const script = fileURLToPath(new URL("ending-application.js", import.meta.url));

describe("a process that a signal ends", function () {
  this.timeout(60_000);

  let app: TrackedApplication;
  before(async () => void (app = await startActivity()));
  after(() => app.stop());

  /** Sends the signal while three entries wait; tells how the process ended, and what it had written. */
  async function end(way: string, signal: NodeJS.Signals): Promise<{ by: unknown; written: number; known: number }> {
    await app.query("delete from chronicle.activity_writer");
    const before = (await rows(app, `subject = '${way}'`)).length;
    const child = spawn(process.execPath, [script, app.database.url, way], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = once(child, "close") as Promise<[code: number | null, signal: string | null]>;
    await Promise.race([once(child.stdout, "data"), closed]);
    child.kill(signal);
    const [code, by] = await closed;
    const written = (await rows(app, `subject = '${way}'`)).length - before;
    const known = (await app.query("select from chronicle.activity_writer")).length;
    return { by: by ?? code, written, known };
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`${signal}: loses what waits where nothing is asked for, and stays known as one that said no farewell`, async () => {
      expect(await end("plain", signal)).to.deep.equal({ by: signal, written: 1, known: 1 });
    });

    it(`${signal}: writes what waits where flushOnSignals asks for it, and ends as the signal would have it`, async () => {
      expect(await end("flush", signal)).to.deep.equal({ by: signal, written: 4, known: 0 });
    });

    it(`${signal}: writes what waits, and leaves the end to the application's own listener`, async () => {
      expect(await end("listener", signal)).to.deep.equal({ by: 7, written: 4, known: 0 });
    });

    for (const way of ["nest", "nest-flush"])
      it(`${signal}: writes what waits in Nest's shutdown hooks (${way})`, async () => {
        expect(await end(way, signal)).to.deep.equal({ by: signal, written: 4, known: 0 });
      });
  }
});
