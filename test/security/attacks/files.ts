import { randomUUID } from "node:crypto";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { eventLog } from "../../../src/index.js";
import { newDataSource } from "../../tracked-application.js";
import { Account } from "../entities.js";
import type { Attack } from "./attack.js";
import type { Scene } from "./scene.js";

const secret = "a secret of some length";
const planted = () =>
  `${JSON.stringify({
    id: randomUUID(),
    log: "chronicle",
    occurredAt: new Date(0).toISOString(),
    action: "planted",
    category: null,
    outcome: "success",
    severity: "info",
    source: "server",
    actor: { type: "user", id: "the auditor", name: null },
    subject: null,
    tenant: null,
    strategy: null,
    resource: null,
    params: {},
    details: {},
    error: null,
    request: null,
    correlationId: null,
    causationId: null,
    traceId: null,
    spanId: null,
    node: "x",
  })}\n`;

/** As a process of this machine that is gone names its files. */
const orphan = () =>
  `${hostname().replaceAll(/[^\w.-]/g, "_")}-${spawnSync(process.execPath, ["--version"]).pid}-${randomUUID()}.jsonl`;

/** What may be put into a spool's folder by whoever got there, under a name that a process takes over. */
const plants: Readonly<Record<string, (path: string, folder: string) => void>> = {
  "a line in the auditor's name": (path) => writeFileSync(path, planted(), { mode: 0o600 }),
  "a line with a signature that it made up": (path) =>
    writeFileSync(path, `${"A".repeat(43)} ${planted()}`, { mode: 0o600 }),
  "a line with an empty signature": (path) => writeFileSync(path, `  ${planted()}`, { mode: 0o600 }),
  "a thousand lines": (path) => writeFileSync(path, planted().repeat(1_000), { mode: 0o600 }),
  "a line that never ends": (path) => writeFileSync(path, "x".repeat(7_000_000), { mode: 0o600 }),
  "a file of 16 GB without content": (path) => {
    writeFileSync(path, "", { mode: 0o600 });
    truncateSync(path, 16 * 1024 ** 3);
  },
  "a link to another file": (path) => symlinkSync("/etc/passwd", path),
  "a second name of another file": (path, folder) => {
    writeFileSync(`${folder}-other`, planted(), { mode: 0o600 });
    linkSync(`${folder}-other`, path);
  },
  "a folder": (path) => mkdirSync(path),
  "a pipe": (path) => void spawnSync("mkfifo", [path]),
  "a file that everybody may write": (path) => {
    writeFileSync(path, planted());
    chmodSync(path, 0o666);
  },
  "JSON with a prototype": (path) =>
    writeFileSync(path, `{"__proto__": {"action": "planted"}, "constructor": {}}\n`, { mode: 0o600 }),
};

/** Each entry but the gap entry that tells of the file would be forged. */
const taken: Attack[] = Object.entries(plants).map(([what, plant]) => ({
  title: `finds ${what} in the spool's folder`,
  as: "application",
  run: async (scene: Scene) => {
    const folder = mkdtempSync(join(tmpdir(), "typeorm-chronicle-attack-"));
    try {
      plant(join(folder, orphan()), folder);
      const dataSource = newDataSource(
        scene.urlOf("application"),
        [Account],
        {},
        { activity: { alerts: false, spool: folder, ipSecret: secret } },
      );
      await dataSource.initialize();
      await dataSource.query("select 1");
      const { activity } = eventLog(dataSource);
      await activity.flush();
      await activity.recordNow("own");
      await dataSource.destroy();
      const found = await scene.query(
        "select action, count(*) as n from chronicle.activity where action in ('planted', 'own', 'gap') group by 1",
      );
      const counts = Object.fromEntries(found.map(({ action, n }) => [action, Number(n)]));
      const said = [
        counts["planted"] === undefined ? "" : `forged: ${counts["planted"]} entries`,
        counts["own"] === undefined ? "stopped: its own entry is not there" : "",
        counts["gap"] === undefined ? "misled: nothing tells of the file" : "",
        ({} as { action?: string }).action === undefined ? "" : "a prototype is polluted",
        readdirSync(folder).some((name) => name.endsWith(".jsonl")) ? "the file is still there to be read" : "",
      ];
      await scene.query(`alter table chronicle.activity disable trigger all;
        delete from chronicle.activity where action in ('planted', 'own', 'gap'); alter table chronicle.activity enable trigger all`);
      await scene.begin("application");
      return said.filter((text) => text !== "").join("; ");
    } finally {
      rmSync(folder, { recursive: true, force: true });
      rmSync(`${folder}-other`, { force: true });
    }
  },
}));

export const filesAttacks: readonly Attack[] = taken;
