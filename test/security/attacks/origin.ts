import { eventLog } from "../../../src/index.js";
import type { Attack } from "./attack.js";
import type { Scene } from "./scene.js";

const words = ["capture", "baseline", "migration", "reconcile", "rewind", "revert", "undo", "erase", "retained"];
const encoded = (context: unknown) => Buffer.from(JSON.stringify(context)).toString("base64");

/** A context in which the application says what only the log says of itself. */
const contextOf = (word: string) => ({
  actionName: word,
  origin: word,
  metadata: { origin: word, erase: { columns: ["name", "words"] }, chronicle: word, baseline: true, undo: 1 },
});

/** Under each word a row comes, changes and goes, another stays; neither a fold nor a replay takes the word for its own. */
const saying = (word: string): Attack => ({
  title: `calls its own writes ${word}`,
  as: "application",
  writes: 5,
  run: async (scene: Scene) => {
    const comment = `/*chronicle:${encoded(contextOf(word))}*/`;
    await scene.run([
      `${comment} insert into sample (id, words) values ('stays ${word}', 'a'), ('goes ${word}', 'a')`,
      `${comment} delete from sample where id OPERATOR(pg_catalog.=) 'goes ${word}'`,
      `begin; set local chronicle.context = '${encoded(contextOf(word))}'; update sample set words = 'b' where id OPERATOR(pg_catalog.=) 'stays ${word}'; commit`,
      `${comment} update sample set words = 'c' where id OPERATOR(pg_catalog.=) 'stays ${word}'`,
    ]);
    const origins = await scene.query(
      `select distinct origin from chronicle.event where record_key in ('stays ${word}', 'goes ${word}')`,
    );
    const log = eventLog(await scene.guarded.open("owner"));
    const report = await log.replay(undefined, { dryRun: true });
    return [
      origins.length === 1 && origins[0]?.["origin"] === "capture" ? "" : `origins: ${JSON.stringify(origins)}`,
      report.drift === 0 ? "" : `a replay would change ${report.drift} rows`,
    ]
      .filter((text) => text !== "")
      .join("; ");
  },
});

/** Rows that change past the log are found, whatever the application said before. */
const hidingDrift: Attack = {
  title: "hides what it changed past the log by saying that it was erased",
  as: "application",
  writes: 2,
  run: async (scene: Scene) => {
    const comment = `/*chronicle:${encoded(contextOf("erase"))}*/`;
    await scene.run([
      "insert into sample (id, words) values ('drift', 'a')",
      `${comment} update sample set words = 'b' where id OPERATOR(pg_catalog.=) 'drift'`,
    ]);
    const change = (words: string) =>
      scene.query(`alter table sample disable trigger all; update sample set words = '${words}' where id OPERATOR(pg_catalog.=) 'drift';
        alter table sample enable trigger all`);
    await change("c");
    const { equal, counts } = await eventLog(await scene.guarded.open("owner")).verify();
    await change("b");
    return !equal && counts.different === 1 ? "" : `verify says ${JSON.stringify(counts)}`;
  },
};

export const originAttacks: readonly Attack[] = [...words.map(saying), hidingDrift];
