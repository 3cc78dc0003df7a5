import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";

const script = fileURLToPath(new URL("midnight-writer.js", import.meta.url));
/** Where the day ends at another time than in UTC. */
const zone = "America/New_York";

describe("a file sink at midnight", function () {
  this.timeout(60_000);

  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-midnight-"))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Lets a process write around its midnight; what it wrote, and what is in the files: milliseconds from midnight by number. */
  async function aroundMidnight(until: number) {
    const { stdout } = await promisify(execFile)(process.execPath, [script, folder, String(until)], {
      env: { ...process.env, TZ: zone },
    });
    const written = new Map(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ").map(Number) as [number, number]),
    );
    const names = (await readdir(folder)).sort();
    const numbersIn = async (name: string) =>
      (await readFile(join(folder, name), "utf8"))
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as { details: { number: number } }).details.number]));
    return { written, names, files: await Promise.all(names.map(numbersIn)) };
  }

  // Local midnight has passed or comes in that zone: the day that ends is the one that it has there now.
  const today = () => new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(new Date());

  it("begins a new file while entries are written: each day in its own, nothing lost", async () => {
    const day = today();
    const { written, names, files } = await aroundMidnight(1_000);
    expect(names).to.deep.equal([`activity-${day}-1.jsonl`, "activity.jsonl"]);
    const [before = [], after = []] = files;
    expect([...before, ...after]).to.deep.equal([...written.keys()]);
    const at = (number: number | undefined) => written.get(number ?? -1) ?? Number.NaN;
    expect(at(before.at(-1)), "last of the day").to.be.within(-1_000, 250);
    expect(at(after[0]), "first of the next day").to.be.within(-250, 1_000);
    expect(Math.min(before.length, after.length)).to.be.greaterThan(5);
  });

  it("puts the day's file aside at midnight itself, though nothing is written any more", async () => {
    const day = today();
    const { written, names, files } = await aroundMidnight(-500);
    expect(names).to.deep.equal([`activity-${day}-1.jsonl`, "activity.jsonl"]);
    expect(files).to.deep.equal([[...written.keys()], []]);
  });
});
