import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Webhook } from "standardwebhooks";
import { type ActivityEntry, requestContext, type SinkOption, withRequestContext } from "../../src/index.js";
import { found, rows, startActivity, until } from "../activity/activity-log.js";

const entriesOf = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ActivityEntry);

describe("sinks", function () {
  this.timeout(60_000);

  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-sinks-"))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("never hold up one another: a failing and a stuck one lose nothing for the rest", async () => {
    const seen: string[] = [];
    let isDown = true;
    const flaky: string[] = [];
    const sinks: SinkOption[] = [
      "database",
      { name: "stuck", write: () => new Promise(() => undefined) },
      {
        name: "failing",
        write: async (batch) => {
          if (isDown) throw new Error("down");
          flaky.push(...batch.map(({ action }) => action));
        },
      },
      async (batch) => void seen.push(...batch.map(({ action }) => action)),
      { file: { folder } },
    ];
    const app = await startActivity({ sinks, batch: { size: 5, intervalMs: 20 } });
    try {
      const actions = Array.from({ length: 20 }, (_, index) => `a${index}`);
      for (const action of actions) app.log.activity.record(action);
      await until(async () => (await rows(app)).length === 20, "the database");
      await until(() => seen.length === 20, "the function");
      await until(
        async () => (await readFile(join(folder, "activity.jsonl"), "utf8").catch(() => "")).split("\n").length === 21,
        "the file",
      );
      expect(seen).to.deep.equal(actions);
      const stats = await app.log.activity.stats();
      expect(stats.sinks.find(({ name }) => name === "failing")).to.include({ queued: 20, lastError: "down" });
      expect(stats.sinks.find(({ name }) => name === "stuck")).to.include({ queued: 20 });
      isDown = false;
      await until(() => flaky.length === 20, "the sink that was down");
      expect(flaky).to.deep.equal(actions);
    } finally {
      await app.database.drop(); // destroy() would wait for the stuck one, within its limit
      void app.dataSource.destroy().catch(() => undefined);
    }
  });

  it("are called outside of any request", async () => {
    const seen: unknown[] = [];
    const app = await startActivity({ batch: false, sinks: [async () => void seen.push(requestContext())] });
    try {
      withRequestContext({ actor: { type: "user", id: 1 } }, () => app.log.activity.record("inside"));
      await withRequestContext({ actor: { type: "user", id: 1 } }, async () => {
        app.log.activity.record("inside");
        await app.log.activity.flush();
      });
      expect(seen).to.have.length.greaterThan(0);
      expect(seen.every((context) => context === undefined)).to.equal(true);
    } finally {
      await app.stop();
    }
  });

  describe("of files", () => {
    const write = async (count: number, more: object = {}, details: object = {}) => {
      const app = await startActivity({ sinks: ["database", { file: { folder, ...more } }] });
      for (let index = 0; index < count; index++) app.log.activity.record(`a${index}`, { details });
      await app.log.activity.flush();
      return app;
    };

    it("hold an entry a line", async () => {
      const app = await write(3, {}, { text: "line\nbreak\u0007" });
      try {
        const lines = entriesOf(await readFile(join(folder, "activity.jsonl"), "utf8"));
        const stored = (await found(app)).toReversed();
        expect(lines).to.deep.equal(JSON.parse(JSON.stringify(stored)));
      } finally {
        await app.stop();
      }
    });

    it("begin anew when one is large enough, and lose nothing", async () => {
      const app = await startActivity({
        batch: { size: 50, intervalMs: 10 },
        sinks: [{ file: { folder, rotationSizeMb: 1 } }],
      });
      const filler = "x".repeat(4_000);
      for (let batch = 0; batch < 12; batch++) {
        for (let index = 0; index < 50; index++)
          app.log.activity.record("large", { details: { filler, number: batch * 50 + index } });
        await app.log.activity.flush();
      }
      await app.stop();
      const names = (await readdir(folder)).sort();
      expect(names.length).to.be.greaterThan(2);
      expect(names.every((name) => /^activity(?:-\d{4}-\d{2}-\d{2}-\d+)?\.jsonl$/.test(name))).to.equal(true);
      const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
      const numbers = texts
        .filter((text) => text !== "")
        .flatMap(entriesOf)
        .map(({ details }) => details.number as number);
      expect(numbers.sort((one, other) => one - other)).to.deep.equal(Array.from({ length: 600 }, (_, index) => index));
    });

    it("begin anew for each day: what another day left is put aside first", async () => {
      const yesterday = new Date(Date.now() - 86_400_000);
      await writeFile(join(folder, "activity.jsonl"), '{"action":"yesterday"}\n');
      await utimes(join(folder, "activity.jsonl"), yesterday, yesterday);
      const app = await write(1);
      await app.stop();
      const names = await readdir(folder);
      expect(names).to.have.length(2);
      const aside = names.find((name) => name !== "activity.jsonl") ?? "";
      expect(await readFile(join(folder, aside), "utf8")).to.include("yesterday");
      expect(
        entriesOf(await readFile(join(folder, "activity.jsonl"), "utf8")).map(({ action }) => action),
      ).to.deep.equal(["a0"]);
    });

    it("are removed when they are older than the days to keep, and others' files are not", async () => {
      const old = new Date(Date.now() - 8 * 86_400_000);
      for (const name of ["activity-2020-01-01-1.jsonl", "activity-2020-01-02-1.jsonl", "notes.txt"]) {
        await writeFile(join(folder, name), "old\n");
        if (!name.includes("01-02")) await utimes(join(folder, name), old, old);
      }
      const app = await write(1, { keepDays: 7 });
      await app.stop();
      expect((await readdir(folder)).sort()).to.deep.equal([
        "activity-2020-01-02-1.jsonl",
        "activity.jsonl",
        "notes.txt",
      ]);
    });

    it("are rotated on demand and told by the statistics", async () => {
      const app = await write(2);
      try {
        await app.log.activity.rotate();
        await app.log.activity.rotate(); // nothing to put aside
        app.log.activity.record("after");
        await app.log.activity.flush();
        const { files } = await app.log.activity.stats();
        expect(files).to.have.length(2).and.include("activity.jsonl");
        const aside = await readFile(join(folder, files.find((name) => name !== "activity.jsonl") ?? ""), "utf8");
        expect(entriesOf(aside)).to.have.length(2);
      } finally {
        await app.stop();
      }
    });
  });

  describe("of webhooks", () => {
    const secret = `whsec_${Buffer.from("a webhook secret of enough bytes").toString("base64")}`;
    let server: Server;
    let url: string;
    const received: { headers: IncomingHttpHeaders; body: string; path: string | undefined }[] = [];
    let status = 200;

    beforeEach(async () => {
      received.length = 0;
      status = 200;
      server = createServer((request, response) => {
        let body = "";
        request.on("data", (chunk: Buffer) => (body += chunk.toString()));
        request.on("end", () => {
          received.push({ headers: request.headers, body, path: request.url });
          response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end();
        });
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    });
    afterEach(() => void server.close());

    const withHook = async (more: object, work: (app: Awaited<ReturnType<typeof startActivity>>) => Promise<void>) => {
      const app = await startActivity({
        sinks: ["database", { webhook: { url, secret, allowPrivate: true, retries: 0, ...more } }],
      });
      try {
        await work(app);
      } finally {
        await app.stop();
      }
    };

    it("send signed messages, from a severity up", () =>
      withHook({ severity: "error" }, async ({ log: { activity } }) => {
        activity.record("quiet", { severity: "warning" });
        activity.record("loud", { severity: "error" });
        activity.record("louder", { severity: "critical" });
        await activity.flush();
        expect(received).to.have.length(1);
        const [{ headers, body } = { headers: {}, body: "" }] = received;
        const message = new Webhook(secret).verify(body, headers as Record<string, string>) as {
          data: ActivityEntry[];
        };
        expect(message.data.map(({ action }) => action)).to.deep.equal(["loud", "louder"]);
        expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).to.throw();
      }));

    it("try again until they are taken, with the same id", () =>
      withHook({}, async ({ log: { activity } }) => {
        status = 503;
        activity.record("patient", { severity: "error" });
        expect(await activity.flush()).to.equal(false);
        status = 200;
        await until(() => received.length > 1, "another attempt");
        expect(await activity.flush()).to.equal(true);
        expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).to.equal(1);
      }));

    it("follow no redirect", () =>
      withHook({}, async ({ log: { activity } }) => {
        status = 302;
        activity.record("redirected", { severity: "error" });
        expect(await activity.flush()).to.equal(false);
        expect(received.every(({ path }) => path === "/hook")).to.equal(true);
        status = 200;
      }));

    it("tell of alerts", () =>
      withHook({ severity: "critical" }, async ({ log: { activity } }) => {
        for (let index = 0; index < 5; index++) activity.record("sign_in", { outcome: "failure", subject: "x" });
        await activity.flush();
        await until(() => received.length > 0, "the alert");
        expect(received[0]?.body).to.include("failed_sign_ins_by_subject");
      }));

    const refused = [
      "127.0.0.1",
      "localhost",
      "[::1]",
      "10.0.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "[fd00::1]",
      "[::ffff:10.0.0.1]",
      "0.0.0.0",
      "2130706433",
      "0x7f.1",
    ];
    for (const host of refused) {
      it(`refuse ${host}, unless private addresses are allowed`, async () => {
        const target = `http://${host}:${new URL(url).port}/hook`;
        await withHook({ url: target, allowPrivate: false }, async ({ log: { activity } }) => {
          activity.record("private", { severity: "error" });
          expect(await activity.flush()).to.equal(false);
          expect((await activity.stats()).lastError).to.include("is an address that is not public");
          expect(received).to.have.length(0);
        });
      });
    }
  });
});
