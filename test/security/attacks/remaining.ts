import { eventLog } from "../../../src/index.js";
import { Sample } from "./sample.js";
import { type Attack, statements } from "./attack.js";
import { likeTheOwner } from "./names.js";
import { movesPositions } from "./rights.js";
import type { Scene } from "./scene.js";

const actor = Buffer.from(JSON.stringify({ actor: { type: "user", id: "the auditor" } })).toString("base64");

/** What succeeds, and what it is seen by: SECURITY.md says each, and why. */
export const remainingAttacks: readonly (Attack & { readonly outcome: RegExp })[] = [
  {
    ...statements("owner", "disables the guards, and changes what was recorded", [
      "alter table chronicle.event disable trigger all",
      "update chronicle.event set actor_id = 'somebody else'",
    ]),
    outcome: /changed: what was recorded/,
  },
  {
    ...statements("owner", "disables capture, and writes past the log", [
      "alter table sample disable trigger all",
      "update sample set words = 'past the log'",
      "alter table sample enable trigger all",
    ]),
    outcome: /misled: .*"different":1/,
  },
  {
    title: "reads what is sensitive",
    as: "owner",
    run: async (scene) => {
      const outcomes = await scene.run(["select * from chronicle.event_sensitive"]);
      return `read: ${outcomes.join()}`;
    },
    outcome: /read: done/,
  },
  {
    ...statements(
      "writer",
      "as a member of pg_write_all_data moves the positions, so that writes fail",
      movesPositions,
    ),
    outcome: /stopped: .*event_pkey|stopped: .*maximum value/,
  },
  {
    title: "writes in another's name",
    as: "application",
    writes: 1,
    run: async (scene: Scene) => {
      await scene.run([`insert into sample (id) values ('forged');/*chronicle:${actor}*/`]);
      const [event] = await eventLog(await scene.guarded.open("reader")).history(Sample, "forged");
      return `signed by ${event?.actor?.id}`;
    },
    outcome: /^signed by the auditor$/,
  },
  {
    title: "adds an entry of the activity log that says what did not happen",
    as: "application",
    entries: 1,
    run: async (scene: Scene) => {
      const entry = {
        id: "00000000-0000-4000-8000-0000000000aa",
        occurred_at: "2001-01-01T00:00:00Z",
        log: "chronicle",
      };
      const more = {
        action: "sign_in",
        outcome: "success",
        severity: "info",
        subject: "somebody",
        params: {},
        details: {},
      };
      const given = JSON.stringify([{ ...entry, ...more, node: "x", source: "server" }]);
      return (await scene.run([`select chronicle.record_activity('${given}')`])).join();
    },
    outcome: /^done$/,
  },
  {
    title: "holds the log's lock, so that a write waits",
    as: "stranger",
    run: async (scene: Scene) => {
      const [row] = await scene.query("select lock_arguments as key from chronicle.installation");
      const stranger = await scene.connect("stranger");
      await stranger.query(`begin; select pg_advisory_xact_lock(${row?.["key"]})`);
      const outcomes = await scene.run(
        ["set statement_timeout = 300", "insert into sample (id) values ('waits')"],
        "application",
      );
      await stranger.end();
      return outcomes.join();
    },
    outcome: /^done,57014$/,
  },
  { ...likeTheOwner, outcome: /^stopped: The table owner_\w+\.account of Account does not exist/ },
];
