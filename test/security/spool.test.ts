import { spawnSync } from "node:child_process";
import { createHmac, createSecretKey, randomUUID } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { recorderOf } from "../../src/activity/lifecycle.js";
import { Spool } from "../../src/activity/spool.js";
import { type ActivityEntry, type ActivityOptions, eventLog } from "../../src/index.js";
import { Account } from "../activity/account.js";
import { rows, startActivity, until } from "../activity/activity-log.js";
import { newDataSource, type TrackedApplication } from "../tracked-application.js";
import { foreignFiles, refusal, refusedFolders } from "./foreign-files.js";

const ipSecret = "a secret of some length";
const keyOf = (secret: string) => createSecretKey(secret, "utf8");
const deadPid = () => spawnSync(process.execPath, ["--version"]).pid;
/** As a process of this machine names its files that is gone. */
const orphanName = () => `${hostname().replaceAll(/[^\w.-]/g, "_")}-${deadPid()}-${randomUUID()}.jsonl`;

describe("the folder and the files of a spool", function () {
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

  const entry = (subject: string): ActivityEntry => ({ ...template, id: randomUUID(), action: "planted", subject });
  const line = (subject: string) => `${JSON.stringify(entry(subject))}\n`;
  const open = (activity: ActivityOptions) =>
    newDataSource(app.database.url, [Account], {}, { activity: { alerts: false, ...activity } }).initialize();
  /** Lets a process come by that takes over what is in the spool; what it found, in the log's order. */
  const takeOver = async (
    activity: ActivityOptions = {},
    during?: (dataSource: Awaited<ReturnType<typeof open>>) => Promise<void>,
  ) => {
    const dataSource = await open({ spool: folder, ...activity });
    try {
      await dataSource.query("select 1");
      expect(await eventLog(dataSource).activity.flush()).to.equal(true);
      await during?.(dataSource);
    } finally {
      await dataSource.destroy();
    }
  };
  const subjects = async () =>
    (await rows<{ subject: string }>(app, "action = 'planted'")).map(({ subject }) => subject).sort();
  type Gap = {
    id: string;
    details: { unreadable: { file: string; lines: number | null; reasons: string[] } };
    severity: string;
  };
  /** What is told of files that could not be read, of this test's folder. */
  const gaps = async () => {
    const names = await readdir(folder);
    return (await rows<Gap>(app, "action = 'gap' and details ? 'unreadable'")).filter(({ details }) =>
      names.includes(details.unreadable.file),
    );
  };
  beforeEach(() =>
    app.query(
      "alter table chronicle.activity disable trigger user; delete from chronicle.activity; alter table chronicle.activity enable trigger user",
    ),
  );

  for (const [what, [make, said]] of Object.entries(refusedFolders)) {
    it(`are refused if it ${what}`, async () => {
      await make(folder);
      const dataSource = await open({ spool: folder });
      for (const work of [
        () => eventLog(dataSource).activity,
        () => dataSource.query("select 1"),
        () => dataSource.query("select 1"),
      ]) {
        const error = await refusal(work);
        expect(error.code).to.equal("FILE_REFUSED");
        expect(error.message).to.match(said);
      }
      // A slash at its end follows no link either.
      expect((await refusal(() => new Spool(`${folder}/`, undefined))).code).to.equal("FILE_REFUSED");
      await dataSource.destroy().catch(() => undefined);
    });
  }

  it("are told of a spool that was opened to others later: it is used no more, and nothing is lost", async () => {
    const dataSource = await open({ spool: folder, batch: { size: 1_000, intervalMs: 600_000 } });
    try {
      const { activity } = eventLog(dataSource);
      await chmod(folder, 0o777);
      activity.record("planted", { subject: "own" });
      expect(await readdir(folder)).to.deep.equal([]);
      expect((await activity.check()).findings.join()).to.match(/The spool failed.*may be written by others/);
      expect(await subjects()).to.deep.equal(["own"]);
    } finally {
      await dataSource.destroy();
    }
  });

  for (const [what, make] of Object.entries(foreignFiles)) {
    it(`are put aside and told by a gap entry: ${what}`, async function () {
      try {
        await make(join(folder, orphanName()), line("foreign"));
      } catch (error) {
        if (what === "a device") this.skip(); // a container may not make one
        throw error;
      }
      await writeFile(join(folder, orphanName()), line("true"), { mode: 0o600 });
      await takeOver({}, async (dataSource) => {
        const { findings } = await eventLog(dataSource).activity.check();
        expect(findings.join()).to.match(/The spool holds files that could not be read: .*\.unreadable/);
      });
      expect(await subjects()).to.deep.equal(["true"]);
      const names = await readdir(folder);
      expect(names).to.have.length(1);
      expect(names[0]).to.match(/\.jsonl\.[\da-f]{8}\.unreadable$/);
      const told = await gaps();
      expect(told).to.have.length(1);
      expect(told[0]?.severity).to.equal("error");
      expect(told[0]?.details.unreadable).to.include({ file: names[0], lines: null });
      // It is told once, whoever comes by.
      await takeOver();
      expect(await gaps()).to.have.length(1);
    });
  }

  it("are put aside under any name that ends like a spool file's, once they are a minute old", async () => {
    const old = new Date(Date.now() - 120_000);
    await mkdir(join(folder, "x.jsonl"));
    await mkdir(join(folder, "young.jsonl"));
    await utimes(join(folder, "x.jsonl"), old, old);
    await takeOver();
    expect((await readdir(folder)).map((name) => name.replace(/[\da-f]{8}(?=\.un)/, "*")).sort()).to.deep.equal([
      "x.jsonl.*.unreadable",
      "young.jsonl",
    ]);
    expect(await gaps()).to.have.length(1);
  });

  /** Lines that are no entries, and what is said of them. */
  const good = () => entry("good");
  const broken: Record<string, [text: () => string, reason: string]> = {
    "not JSON": [() => "{nonsense\n", "1 not an entry"],
    "JSON that is no object": [() => '"text"\n[]\nnull\n5\n', "4 not an entry"],
    "an empty line": [() => "\n", "1 not an entry"],
    "cut off": [() => line("torn").slice(0, 100), "1 cut off"],
    "cut off at the very end": [() => line("torn").trimEnd(), "1 cut off"],
    "without an id": [() => `${JSON.stringify({ ...good(), id: undefined })}\n`, "1 not an entry"],
    "with an id that is none": [() => `${JSON.stringify({ ...good(), id: "1" })}\n`, "1 not an entry"],
    "without a time": [() => `${JSON.stringify({ ...good(), occurredAt: "soon" })}\n`, "1 not an entry"],
    "with an actor that is none": [() => `${JSON.stringify({ ...good(), actor: { type: 1 } })}\n`, "1 not an entry"],
    "with an action that is none": [() => `${JSON.stringify({ ...good(), action: { a: 1 } })}\n`, "1 not an entry"],
    "with details that are none": [() => `${JSON.stringify({ ...good(), details: [1] })}\n`, "1 not an entry"],
    "with an outcome that is none": [() => `${JSON.stringify({ ...good(), outcome: "fine" })}\n`, "1 not an entry"],
    zeros: [() => `${"\0".repeat(500)}\n`, "1 not an entry"],
  };
  for (const [what, [text, reason]] of Object.entries(broken)) {
    it(`are told by a gap entry for each line that is no entry: ${what}`, async () => {
      const name = orphanName();
      const odd = text();
      await writeFile(join(folder, name), `${line("first")}${line("second")}${odd}`, { mode: 0o600 });
      await takeOver();
      expect(await subjects()).to.deep.equal(["first", "second"]);
      const [told] = await gaps();
      expect(told?.details.unreadable.reasons).to.deep.equal([reason]);
      expect(told?.details.unreadable.lines).to.equal(Number.parseInt(reason, 10));
      // What could not be read is still there.
      const [aside = ""] = await readdir(folder);
      expect(await readFile(join(folder, aside), "utf8")).to.include(odd);
    });
  }

  it("are told once of a file that was read again because its process was killed before it was put aside", async () => {
    const name = orphanName();
    await writeFile(join(folder, name), `${line("first")}nonsense\n`, { mode: 0o600 });
    const ids = [1, 2].map(() => {
      const spool = new Spool(folder, undefined);
      const read = spool.next();
      read?.leave();
      spool.close();
      return read?.unreadable?.id;
    });
    expect(ids[0]).to.be.a("string").and.to.equal(ids[1]);
  });

  it("do not make entries in anyone's name, if there is a secret: only what was signed with it is one", async () => {
    const own = new Spool(folder, keyOf(ipSecret));
    own.keep(entry("signed"));
    own.close();
    const [file = ""] = await readdir(folder);
    const signed = await readFile(join(folder, file), "utf8");
    expect(signed).to.match(/^[\w-]{43} \{/);
    await rename(join(folder, file), join(folder, orphanName()));
    const other = await signedBy("another secret of some length", "another key");
    await writeFile(
      join(folder, orphanName()),
      [
        line("unsigned"),
        `${"A".repeat(43)} ${line("made up")}`,
        signed.replace('"signed"', '"changed"'),
        `${signed.slice(0, 43)} ${line("borrowed")}`,
        other,
      ].join(""),
      { mode: 0o600 },
    );
    await takeOver({ ipSecret });
    expect(await subjects()).to.deep.equal(["signed"]);
    const [told] = await gaps();
    expect(told?.details.unreadable.lines).to.equal(5);
    expect(told?.details.unreadable.reasons).to.have.members(["1 not signed", "4 signed by another key"]);
  });

  const signedBy = async (secret: string, subject: string) => {
    const elsewhere = await mkdtemp(join(parent, "signed-"));
    const spool = new Spool(elsewhere, keyOf(secret));
    spool.keep(entry(subject));
    spool.close();
    const [name = ""] = await readdir(elsewhere);
    return readFile(join(elsewhere, name), "utf8");
  };

  it("are not signed by a key that is found in the log: keyed hashes of values do not give it away", async () => {
    // Under sensitive "hash", whoever chooses a value sees its HMAC under the secret itself.
    const json = line("forged").trimEnd();
    const key = createHmac("sha256", ipSecret).update("typeorm-chronicle spool").digest();
    const codes = [createHmac("sha256", ipSecret), createHmac("sha256", createSecretKey(key))].map((hmac) =>
      hmac.update(json).digest("base64url"),
    );
    await writeFile(join(folder, orphanName()), codes.map((code) => `${code} ${json}\n`).join(""), { mode: 0o600 });
    await takeOver({ ipSecret });
    expect(await subjects()).to.deep.equal([]);
  });

  it("are said to be checked by owner and modes alone, if there is no secret", async () => {
    const findings = async (activity: ActivityOptions) => {
      let found: readonly string[] = [];
      await takeOver(
        activity,
        async (dataSource) => void (found = (await eventLog(dataSource).activity.check()).findings),
      );
      return found.join();
    };
    expect(await findings({})).to.include("The lines of the spool are not signed (no activity.ipSecret)");
    expect(await findings({ ipSecret })).not.to.include("spool");
  });

  it("hold what was signed although the secret is gone: it is read, and nothing checks it", async () => {
    await writeFile(join(folder, orphanName()), await signedBy(ipSecret, "signed once"), { mode: 0o600 });
    await takeOver();
    expect(await subjects()).to.deep.equal(["signed once"]);
  });

  it("end no process by a timer, whatever becomes of the spool meanwhile", async () => {
    const dataSource = await open({ spool: folder, batch: { size: 1, intervalMs: 5 } });
    try {
      const { activity } = eventLog(dataSource);
      const { spooled } = recorderOf(dataSource);
      activity.record("planted", { subject: "before" });
      await rm(folder, { recursive: true });
      spooled?.tend(); // as its timer does
      await writeFile(folder, "").catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
      await symlink(parent, folder);
      spooled?.tend();
      activity.record("planted", { subject: "meanwhile" });
      await until(async () => (await subjects()).length === 2, "both entries");
      expect((await activity.check()).findings.join()).to.include("The spool failed");
      await rm(folder);
      spooled?.tend();
      expect((await lstat(folder)).mode & 0o777).to.equal(0o700);
    } finally {
      await dataSource.destroy();
    }
  });

  it("end at 8 MB, and the next process reads them all", async () => {
    const spool = new Spool(folder, undefined);
    const filler = "x".repeat(115_000);
    for (let number = 0; number < 160; number++) spool.store({ ...entry("large"), params: { number, filler } });
    spool.keep({ ...entry("huge"), params: { filler: "y".repeat(4_000_000) } });
    spool.keep({ ...entry("huge"), params: { filler: "y".repeat(4_000_000) } });
    expect(spool.keep({ ...entry("too huge"), params: { filler: "y".repeat(9_000_000) } })).to.equal(false);
    spool.close();
    const names = await readdir(folder);
    expect(names).to.have.length(4);
    for (const name of names) {
      const { size, mode } = await stat(join(folder, name));
      expect(size).to.be.within(1_000_000, 8 * 1024 * 1024);
      expect(mode & 0o777).to.equal(0o600);
    }
    await takeOver();
    expect(await subjects()).to.have.length(162);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("hold no half of an entry that the disk had no room for", async function () {
    const script = `
      import { Spool } from ${JSON.stringify(fileURLToPath(new URL("../../src/activity/spool.js", import.meta.url)))};
      const spool = new Spool(process.argv[1], undefined);
      process.on("SIGXFSZ", () => undefined);
      const entry = JSON.parse(process.argv[2]);
      const kept = [];
      for (let number = 0; number < 40; number++)
        if (spool.keep({ ...entry, id: crypto.randomUUID(), params: { number, filler: "x".repeat(number % 2 ? 100 : 9000) } })) kept.push(number);
      console.log(JSON.stringify(kept));
      process.kill(process.pid, "SIGKILL");`;
    // The largest file that this process may make is 100 blocks of 512 or 1024 bytes.
    const { stdout } = spawnSync(
      "bash",
      [
        "-c",
        'ulimit -f 100; exec "$@"',
        "-",
        process.execPath,
        "--input-type=module",
        "-e",
        script,
        folder,
        JSON.stringify(entry("limited")),
      ],
      { encoding: "utf8" },
    );
    const kept = JSON.parse(stdout) as number[];
    expect(kept.length).to.be.within(5, 39);
    await takeOver();
    const stored = await rows<{ params: { number: number } }>(app, "action = 'planted'");
    expect(stored.map(({ params }) => params.number).sort((one, other) => one - other)).to.deep.equal(kept);
    expect(await gaps()).to.deep.equal([]);
  });
});
