import { randomUUID } from "node:crypto";
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type ActivityEntry, eventLog } from "../../src/index.js";
import { fileSink } from "../../src/sinks/file.js";
import { Account } from "../activity/account.js";
import { rows, startActivity } from "../activity/activity-log.js";
import { newDataSource, type TrackedApplication } from "../tracked-application.js";
import { foreignFiles, refusal, refusedFolders, targetOf } from "./foreign-files.js";

describe("the folder and the files of a file sink", function () {
  this.timeout(60_000);

  let app: TrackedApplication;
  let parent: string;
  let folder: string;
  let template: ActivityEntry;
  before(async () => {
    app = await startActivity({ alerts: false });
    const made = await app.log.activity.recordNow("template");
    if (made === undefined) throw new Error("no entry");
    template = made;
  });
  after(() => app.stop());
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "typeorm-chronicle-folders-"));
    folder = join(parent, "own");
    await mkdir(folder, { mode: 0o700 });
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const entry = (subject: string): ActivityEntry => ({ ...template, id: randomUUID(), subject });
  const line = (subject: string) => `${JSON.stringify(entry(subject))}\n`;
  const path = () => join(folder, "activity.jsonl");
  const write = async (subject: string) => {
    const sink = fileSink({ folder, rotationSizeMb: 100, keepDays: 30 });
    try {
      await sink.write([entry(subject)]);
    } finally {
      await sink.close?.();
    }
  };
  const inFile = async () =>
    (await readFile(path(), "utf8")).split("\n").flatMap((one) => {
      try {
        return [(JSON.parse(one) as ActivityEntry).subject];
      } catch {
        return one === "" ? [] : ["torn"];
      }
    });

  it("let a torn last line swallow no entry", async () => {
    await write("first");
    await appendFile(path(), line("torn").slice(0, 80));
    await write("second");
    await write("third");
    expect(await inFile()).to.deep.equal(["first", "torn", "second", "third"]);
  });

  it("are made with mode 600, in a folder of mode 700", async () => {
    folder = join(folder, "made", "here");
    const mask = process.umask(0);
    try {
      await write("first");
      expect((await stat(path())).mode & 0o777).to.equal(0o600);
      for (const one of [folder, join(folder, "..")]) expect((await stat(one)).mode & 0o777).to.equal(0o700);
    } finally {
      process.umask(mask);
    }
  });

  for (const [what, [make, said]] of Object.entries(refusedFolders)) {
    it(`are refused if it ${what}`, async () => {
      await make(folder);
      const error = await refusal(() => write("x"));
      expect(error.code).to.equal("FILE_REFUSED");
      expect(error.message).to.match(said);
    });
  }

  for (const [what, make] of Object.entries(foreignFiles)) {
    if (what === "a file of 9 MB") continue; // as good as any other
    it(`are refused, and neither followed nor waited for: ${what}`, async function () {
      try {
        await make(path(), line("foreign"));
      } catch (error) {
        if (what === "a device") this.skip();
        throw error;
      }
      expect((await refusal(() => write("second"))).code).to.equal("FILE_REFUSED");
      expect(await readdir(parent)).not.to.include("own-nothing");
      if (what === "a symbolic link to entries")
        expect(await readFile(targetOf(path()), "utf8")).not.to.include("second");
    });
  }

  it("leave the entries of a sink that is refused waiting, and say why", async () => {
    await chmod(folder, 0o777);
    const activity = { alerts: false, sinks: ["database", { file: { folder } }] } as const;
    const dataSource = await newDataSource(app.database.url, [Account], {}, { activity }).initialize();
    try {
      const { activity } = eventLog(dataSource);
      activity.record("planted", { subject: "waits" });
      expect(await activity.flush()).to.equal(false);
      expect((await activity.check()).findings.join()).to.match(/The sink file .* fails: .*may be written by others/);
      expect(await rows(app, "subject = 'waits'")).to.have.length(1);
      await chmod(folder, 0o700);
      expect(await activity.flush()).to.equal(true);
      expect(await inFile()).to.deep.equal(["waits"]);
    } finally {
      await dataSource.destroy();
    }
  });

  it("are removed by name when they are old, and what a link leads to is not", async () => {
    const old = new Date(Date.now() - 90 * 86_400_000);
    await writeFile(join(parent, "target"), "kept");
    await utimes(join(parent, "target"), old, old);
    await symlink(join(parent, "target"), join(folder, "activity-2020-01-01-1.jsonl"));
    await write("first");
    expect(await readFile(join(parent, "target"), "utf8")).to.equal("kept");
  });
});
