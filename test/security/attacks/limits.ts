import { randomUUID } from "node:crypto";
import { PassThrough } from "node:stream";
import { eventLog } from "../../../src/index.js";
import { type Attack, statements } from "./attack.js";
import type { Scene } from "./scene.js";

/** 16 bytes each where they are stored, 131,072 as text. */
const numbers = (count: number) => `(select jsonb_agg(1e131071) from generate_series(1, ${count}))`;

/** Documents that are more to whoever reads them than to whoever stores them. */
const poisons: Readonly<Record<string, string>> = {
  "numbers with many digits": numbers(1_100),
  "numbers with many digits behind the point": "(select jsonb_agg(1e-16383) from generate_series(1, 2000))",
  "numbers with many digits in an object": `jsonb_build_object('a', jsonb_build_array(${numbers(200)}))`,
  "numbers with many digits as keys of values": "(select jsonb_object_agg(n, 1e131071) from generate_series(1, 200) n)",
  "deep nesting": "(repeat('[', 5000) || repeat(']', 5000))::jsonb",
  "a long text": "to_jsonb(repeat('x', 17000000))",
  escapes: "to_jsonb(repeat(e'\\x01', 3000000))",
  "many keys": "(select jsonb_object_agg(n, '') from generate_series(1, 100000) n)",
};

async function readsAll(scene: Scene): Promise<string> {
  const log = eventLog(await scene.guarded.open("reader"));
  let events = 0;
  for await (const event of log.events()) events += event.position > 0n ? 1 : 0;
  const before = Number((await scene.query("select count(*) as n from chronicle.event"))[0]?.["n"]);
  if (events !== before) return `events() gives ${events} of ${before}`;
  let entries = 0;
  for await (const _ of log.activity.search()) entries++;
  const sink = new PassThrough().resume();
  await log.activity.export(sink);
  const there = Number((await scene.query("select count(*) as n from chronicle.activity"))[0]?.["n"]);
  return entries === there ? "" : `search() gives ${entries} of ${there}`;
}

/** Whether the row is refused or recorded, whoever reads the log reads it to its end. */
const poisoned: Attack[] = Object.entries(poisons).flatMap(([what, document]): Attack[] => [
  {
    title: `writes ${what} into a tracked column`,
    as: "application",
    run: async (scene) => {
      const id = randomUUID();
      await scene.run([`insert into sample (id, document) values ('${id}', ${document})`]);
      const recorded = (await scene.query(`select from sample where id = '${id}'`)).length;
      const said = await readsAll(scene);
      // An event of a row that is there is what is allowed: the scene counts from here.
      await scene.begin("application");
      const events = (await scene.query(`select from chronicle.event where record_key = '${id}'`)).length;
      return [said, events === recorded ? "" : `${events} events of ${recorded} rows`].filter(Boolean).join("; ");
    },
  },
  {
    title: `writes ${what} into an entry of the activity log`,
    as: "application",
    run: async (scene) => {
      await scene.run([
        `select chronicle.record_activity(json_build_array(json_build_object('id', gen_random_uuid(), 'occurred_at', now(),
           'action', 'poison', 'outcome', 'success', 'severity', 'info', 'params', '{}'::json, 'details', jsonb_build_object('a', ${document}),
           'node', 'x', 'source', 'server')))`,
      ]);
      const said = await readsAll(scene);
      await scene.begin("application");
      return said;
    },
  },
]);

const context = (metadata: string) => Buffer.from(`{"metadata": ${metadata}}`).toString("base64");

const contexts: Attack[] = Object.entries({
  "numbers with many digits": `{"n": [${"1e131071,".repeat(5_000)}1]}`,
  "deep nesting": `{"a": ${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
  "a long text": `{"a": "${"x".repeat(17_000_000)}"}`,
}).map(([what, metadata]) => ({
  title: `sends ${what} as a request context`,
  as: "application" as const,
  writes: 1,
  run: async (scene: Scene) => {
    await scene.run([
      `begin; set local chronicle.context = '${context(metadata)}'; insert into sample (id) values ('${randomUUID()}'); commit`,
    ]);
    return readsAll(scene);
  },
}));

export const limitsAttacks: readonly Attack[] = [
  ...poisoned,
  ...contexts,
  statements("application", "writes texts that nobody can read or that say something else to a terminal", [
    "insert into sample (id, words) values ('nul', e'a\\u0000b')",
    `insert into sample (id, document) values ('nul', '{"a": "\\u0000"}')`,
    `insert into sample (id, document) values ('half', '{"a": "\\ud800"}')`,
  ]),
];
