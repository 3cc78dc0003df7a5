import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { TrackedApplication } from "../tracked-application.js";
import { found, startActivity, until } from "./activity-log.js";

const script = fileURLToPath(new URL("alert-writer.js", import.meta.url));

interface Line {
  readonly ready?: true;
  readonly alert?: [name: string, value: string];
  readonly recorded?: boolean;
  readonly failures?: number[];
}

/** An alert-writer. */
class Counter {
  readonly #child: ChildProcess;
  #output = "";

  constructor(url: string, ...kind: "quiet"[]) {
    this.#child = spawn(process.execPath, [script, url, ...kind], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  get lines(): Line[] {
    const whole = this.#output.slice(0, this.#output.lastIndexOf("\n"));
    return whole.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
  }

  get alerts(): string[] {
    return this.lines.flatMap(({ alert }) => (alert === undefined ? [] : [alert[1]]));
  }

  /** The answer to a command, or to the start. */
  async answer<Key extends keyof Line>(key: Key, command?: object): Promise<NonNullable<Line[Key]>> {
    if (command !== undefined) this.tell(command);
    const given = () => this.lines.map((line) => line[key]).find((value) => value !== undefined);
    await until(() => given() !== undefined || this.#child.exitCode !== null, `the answer ${key}`);
    return given() as NonNullable<Line[Key]>;
  }

  tell(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  async end(): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.stdin?.end();
    await ended;
  }
}

describe("two processes that count together", function () {
  this.timeout(60_000);

  let app: TrackedApplication;
  let counters: Counter[];
  before(async () => {
    app = await startActivity();
    counters = [new Counter(app.database.url), new Counter(app.database.url)];
    await Promise.all(counters.map((counter) => counter.answer("ready")));
  });
  after(async () => {
    await Promise.all(counters.map((counter) => counter.end()));
    await app.stop();
  });

  const rounds = 20;
  /** How often each process fails for each kind of subject: below the threshold of 5, at it, above it, and far above. */
  const shares = { below: [2, 2], at: [2, 3], above: [3, 3], far: [7, 6] } as const;
  const subjects = Object.keys(shares).flatMap((kind) =>
    Array.from({ length: rounds }, (_, round) => `${kind} ${round}`),
  );
  const timesOf = (subject: string, counter: number) =>
    shares[subject.split(" ")[0] as keyof typeof shares][counter] ?? 0;

  it("raise an alert exactly once where the threshold is reached, and none below it", async () => {
    const recorded = await Promise.all(
      counters.map((counter, index) =>
        counter.answer("recorded", {
          fail: Object.fromEntries(subjects.map((subject) => [subject, timesOf(subject, index)])),
        }),
      ),
    );
    expect(recorded).to.deep.equal([true, true]);
    const expected = subjects.filter((subject) => !subject.startsWith("below")).sort();
    const entries = await found(app, { action: "alert" });
    expect(entries.map(({ details }) => String(details.value)).sort()).to.deep.equal(expected);
    expect(counters.flatMap(({ alerts }) => alerts).sort()).to.deep.equal(expected);
    // The test has power only where both processes raised some.
    expect(Math.min(...counters.map(({ alerts }) => alerts.length))).to.be.greaterThan(0);
  });

  it("both find every failure of the other by failures(), too", async () => {
    const expected = subjects.map((subject) => timesOf(subject, 0) + timesOf(subject, 1));
    for (const counter of counters)
      expect(await counter.answer("failures", { count: subjects })).to.deep.equal(expected);
  });

  it("find a failure of the other at once, though nobody flushes it and no alert counts it", async () => {
    const quiet = new Counter(app.database.url, "quiet");
    try {
      await quiet.answer("ready");
      await quiet.answer("recorded", { fail: { "the first entry": 1 } }); // it is written at once anyway
      quiet.tell({ fail: { unflushed: 3 }, flush: false });
      const { failures } = app.log.activity;
      await until(async () => (await failures({ subject: "unflushed" })) === 3, "the other's failures");
    } finally {
      await quiet.end();
    }
  });
});
