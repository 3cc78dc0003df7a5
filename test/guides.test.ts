import { expect } from "chai";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../dev/bootstrap/root.mjs";
import { createDatabase, query, type TestDatabase } from "./database.js";
import { UserProject } from "./user-project.js";

const folder = join(ROOT, "docs/guides");

/** The code blocks of a language, each with the file that its first line names. */
function blocksOf(text: string, language: string): { file: string; code: string }[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}(?: (\\S+))?\\n([\\s\\S]*?)^\`\`\``, "gm"));
  return [...blocks].map(([, file, code = ""], index) => ({ file: file ?? `example-${index + 1}.ts`, code }));
}

/** A project that holds a guide's examples, compiled. */
async function projectOf(guide: string, more: Record<string, string> = {}): Promise<UserProject> {
  const examples = blocksOf(await readFile(join(folder, guide), "utf8"), "ts");
  expect(examples, `examples of ${guide}`).to.not.be.empty;
  const files = [...examples, ...Object.entries(more).map(([file, code]) => ({ file, code }))];
  const project = await UserProject.make({ type: "module" });
  try {
    for (const { file, code } of files) await project.write(file, code);
    await project.compile(...files.map(({ file }) => file));
  } catch (error) {
    await project.remove();
    throw error;
  }
  return project;
}

describe("the guides", function () {
  this.timeout(300_000);

  let database: TestDatabase;
  beforeEach(async () => void (database = await createDatabase()));
  afterEach(() => database.drop());

  it("hold examples that compile, each in a file of its own", async () => {
    for (const guide of await readdir(folder)) {
      const project = await projectOf(guide);
      await project.remove();
    }
  });

  it("never take who acts from a header of the client's own", async () => {
    const guides = (await readdir(folder)).map((name) => join(folder, name));
    for (const file of [join(ROOT, "README.md"), ...guides]) {
      for (const { code } of blocksOf(await readFile(file, "utf8"), "ts")) {
        const headers = code.matchAll(/(?:\.get\(|\.header\(|headers(?:\.get\(|\[))\s*["'`]([\w-]+)["'`]/g);
        const names = [...headers].map(([, name = ""]) => name.toLowerCase());
        expect(
          names.filter((name) => /^x-|user|actor/.test(name)),
          file,
        ).to.deep.equal([]);
      }
    }
  });

  it("record who and why through every door, as the guide of requests shows", async () => {
    const project = await projectOf("requests.md", { "main.ts": throughEveryDoor });
    try {
      await project.write("names.txt", "Imported\n");
      const { stdout } = await project.run("main.js", { DATABASE_URL: database.url });
      expect(stdout.trim().split("\n")).to.deep.equal([
        'create - user:1 "By Express" {"path":"/accounts","source":"api"}',
        'create - user:2 "By Fastify" {"url":"/accounts","source":"api"}',
        'create account.open user:3 "By Nest" {}',
        "update account.close worker:close-accounts undefined {}",
        'create - user:4 "Imported" {}',
        'create - user:5 "By Koa" {}',
      ]);
    } finally {
      await project.remove();
    }
  });

  it("record sign-ins, raise an alert and let the auditor read, as the guide of the activity log shows", async () => {
    const project = await projectOf("activity.md", { "main.ts": signingIn });
    try {
      const { stdout } = await project.run("main.js", {
        DATABASE_URL: database.url,
        ACTIVITY_FOLDER: join(project.folder, "activity"),
      });
      expect(stdout.trim().split("\n")).to.deep.equal([
        "200",
        "401",
        "401",
        "401",
        "401",
        "alert failed_sign_ins_by_subject: 5 by ada@example.org",
        "401",
        "429",
        "401 by Nest",
        "201 by Nest",
        '{"ok":true,"error":null}',
        "403",
        "200",
        "sign_in denied ada@example.org 127.0.0.1",
        "denied: 2",
        "1 entries",
        "shipped: order.ship",
        "2 sets of options accepted",
      ]);
    } finally {
      await project.remove();
    }
  });

  it("test an application, as the guide of testing shows", async () => {
    const project = await projectOf("testing.md");
    try {
      const { stdout } = await project.run("account.test.js", { DATABASE_URL: database.url });
      expect(stdout)
        .to.match(/\bpass 3$/m)
        .and.to.match(/\bfail 0$/m);
    } finally {
      await project.remove();
    }
  });

  it("show command lines that run, as the guide of the command line shows", async () => {
    const project = await projectOf("command-line.md");
    const roles = ["app", "auditor"];
    try {
      await query(database.url, "create table account (id serial primary key, name text not null)");
      await query(database.url, "insert into account (name) values ('Ada')");
      for (const role of roles) {
        await query(database.url, `do $$ begin create role ${role}; exception when duplicate_object then null; end $$`);
      }
      const text = await readFile(join(folder, "command-line.md"), "utf8");
      const lines = blocksOf(text, "sh").flatMap(({ code }) => code.trim().split("\n"));
      expect(lines.length).to.be.greaterThan(10);
      for (const line of lines) {
        // The months of the guide are not those of the log.
        const bin = "node node_modules/typeorm-chronicle/dist/src/cli/main.js";
        const command = line.replace(/^chronicle /, `${bin} `).replace(/--(from|to) 2026\S+/g, "");
        await promisify(execFile)("bash", ["-c", command], {
          cwd: project.folder,
          env: { ...process.env, DATABASE_URL: database.url },
        }).catch((error: Error & { stderr?: string }) => {
          throw new Error(`${line}: ${error.stderr}`, { cause: error });
        });
      }
      expect((await readdir(project.folder)).filter((name) => name.startsWith("events."))).to.have.members([
        "events.jsonl",
        "events.csv",
      ]);
    } finally {
      for (const role of roles) await query(database.url, `drop owned by ${role}; drop role ${role}`);
      await project.remove();
    }
  });
});

/** Uses each example as an application would, and prints the events. */
const throughEveryDoor = `
import { NestFactory } from "@nestjs/core";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { eventLog, withRequestContext } from "typeorm-chronicle";
import { Account } from "./account.js";
import { dataSource } from "./data-source.js";
import { app as expressApp } from "./express.js";
import { app as fastifyApp } from "./fastify.js";
import { importAccounts } from "./import.js";
import { requestContext as koa } from "./koa.js";
import { Application } from "./nest.js";
import { tokenOf } from "./session.js";
import { closeAccount } from "./worker.js";

await dataSource.initialize();
const log = eventLog(dataSource);
await log.install();

async function open(url: string, user: string, name: string): Promise<Account> {
  const response = await fetch(url + "/accounts", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer " + tokenOf(user), "x-user": "forged" },
    body: JSON.stringify({ name }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Account;
}

const server = expressApp.listen(0);
await once(server, "listening");
const { id } = await open("http://127.0.0.1:" + (server.address() as AddressInfo).port, "1", "By Express");
await open(await fastifyApp.listen({ port: 0, host: "127.0.0.1" }), "2", "By Fastify");
const nest = await NestFactory.create(Application, { logger: false });
await nest.listen(0, "127.0.0.1");
await open(await nest.getUrl(), "3", "By Nest");
await closeAccount({ id: "message 1", correlationId: "request 1", accountId: id });
await withRequestContext({ actor: { type: "user", id: 4 } }, () => importAccounts("names.txt"));
const middleware = koa<{ user: string }>({ actor: ({ user }) => ({ type: "user", id: user }) });
await middleware({ user: "5" }, async () => {
  await dataSource.getRepository(Account).insert({ name: "By Koa" });
});

for await (const { action, actionName, actor, data, metadata } of log.events()) {
  console.log(action, actionName ?? "-", actor?.type + ":" + actor?.id, JSON.stringify(data["name"]), JSON.stringify(metadata));
}
server.close();
server.closeAllConnections();
await fastifyApp.close();
await nest.close();
await dataSource.destroy();
`;

const signingIn = `
import { NestFactory } from "@nestjs/core";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DataSource } from "typeorm";
import { eventLog, withEventLog } from "typeorm-chronicle";
import { gdpr, pciDss } from "./compliance.js";
import { toSiem } from "./siem.js";
import { audit } from "./audit.js";
import { tell } from "./browser.js";
import { Account, activity, dataSource } from "./data-source.js";
import { app } from "./express.js";
import { Application } from "./nest.js";
import { tokenOf } from "./session.js";
import { hashOf } from "./sign-in.js";

await dataSource.initialize();
await eventLog(dataSource).install();
await dataSource.getRepository(Account).insert({ email: "ada@example.org", passwordHash: hashOf("right") });

const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const base = "http://127.0.0.1:" + (server.address() as AddressInfo).port;
async function open(url: string, path: string, email: string, password: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  return (await fetch(url + path, { method: "POST", headers, body: JSON.stringify({ email, password }) })).status;
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 500));

console.log(await open(base, "/session", "ada@example.org", "right"));
for (let attempt = 0; attempt < 4; attempt++) console.log(await open(base, "/session", "ada@example.org", "wrong"));
const last = await open(base, "/session", "ada@example.org", "wrong");
await activity.flush();
await settled();
console.log(last);
console.log(await open(base, "/session", "ada@example.org", "right"));

const nest = await NestFactory.create(Application, { logger: false });
await nest.listen(0, "127.0.0.1");
console.log((await open(await nest.getUrl(), "/session", "grace@example.org", "wrong")) + " by Nest");
console.log((await open(await nest.getUrl(), "/password-reset", "grace@example.org", "")) + " by Nest");

console.log(JSON.stringify(await tell(base, "order.cancel", { step: 2 })));
for (const user of ["clerk", "auditor"]) {
  console.log((await fetch(base + "/admin/activity/search", { headers: { authorization: "Bearer " + tokenOf(user) } })).status);
}
const lines = await audit();
console.log(lines.filter((line) => line.startsWith("sign_in denied")).join());
console.log(lines.filter((line) => line.startsWith("denied")).join());
server.close();
await nest.close();

const shipping = await new DataSource(
  withEventLog({ type: "postgres", url: process.env["DATABASE_URL"]!, entities: [] }, toSiem),
).initialize();
eventLog(shipping).activity.record("order.ship");
await shipping.destroy();
const shipped = await readFile(join(process.env["ACTIVITY_FOLDER"]!, "activity.jsonl"), "utf8");
console.log("shipped: " + JSON.parse(shipped).action);
const accepted = [pciDss, gdpr].map((options) => withEventLog({ type: "postgres" }, options));
console.log(accepted.length + " sets of options accepted");
`;
