import { styleText } from "node:util";
import type { Difference, ReplayReport } from "../../../src/index.js";
import type { Facts, Proof } from "../facts.js";
import type { Fingerprint } from "../proof.js";
import type { Spoiled } from "../spoil.js";
import { table } from "./table.js";
import { count, counted, record, seconds } from "./words.js";

const right = styleText("green", "✓");
const wrong = styleText("red", "✗");

export function appendOnly({ attempts }: Facts["appendOnly"]): string {
  const width = Math.max(...attempts.map(({ statement }) => statement.length));
  const lines = attempts.map(
    ({ statement, refusal }) =>
      `  ${refusal === null ? wrong : right} ${statement.padEnd(width)}  ${refusal ?? "went through"}`,
  );
  return lines.join("\n");
}

const replayHead = [
  "replay to",
  "events",
  "overridden",
  "upcast",
  "inserted",
  "updated",
  "deleted",
  "recorded",
  "took",
];

export function replayed({ middle, end, proof }: Facts["replayed"]): string {
  const head = ["table", ...proof.flatMap(([point]) => [`rows, hash at the ${point}`, "replayed to it"])];
  const tables = proof[0]?.[1].map(({ table: name }) => name) ?? [];
  const rows = tables.map((name) => [name, ...proof.flatMap((part) => proofCells(name, part))]);
  const replays = [replayCells(`the ${proof[0]?.[0]}`, middle), replayCells("the end", end)];
  return [table(head, rows), "", table(replayHead, replays, { right: replayHead.slice(1) })].join("\n");
}

function proofCells(name: string, [, noted, replayed]: Proof): string[] {
  const [before, after] = [noted, replayed].map((tables) => tables.find((candidate) => candidate.table === name));
  const isEqual = before?.rows === after?.rows && before?.hash === after?.hash;
  return [fingerprint(before), `${isEqual ? right : wrong} ${fingerprint(after)}`];
}

function fingerprint(found: Fingerprint | undefined): string {
  return found === undefined
    ? "not there"
    : `${count(found.rows).padStart(5)} ${styleText("dim", found.hash.slice(0, 8))}`;
}

function replayCells(
  where: string,
  { events, overridden, upcast, rows, recorded, durationMs }: ReplayReport,
): string[] {
  const { inserted, updated, deleted } = rows;
  return [where, ...[events, overridden, upcast, inserted, updated, deleted, recorded].map(count), seconds(durationMs)];
}

function changedRows({ inserted, updated, deleted }: ReplayReport["rows"]): string {
  return `${counted(inserted, "row")} inserted, ${count(updated)} updated, ${count(deleted)} deleted`;
}

export function mended({ spoiled, found, replay, after, nextId }: Facts["mended"]): string {
  const words = ({ entity, recordId, kind, columns }: Spoiled | Difference) => [
    record({ entity, recordId }),
    kind,
    columns.join(", "),
  ];
  const expected = new Set(spoiled.map((row) => words(row).join()));
  const rows = found.differences.map(words).map((row) => [expected.has(row.join()) ? right : wrong, ...row]);
  return [
    `  verify() compares ${counted(found.checked, "row")} with the log and names`,
    table(["", "record", "row is", "columns"], rows),
    `  replay() mends them: ${changedRows(replay.rows)}, ${seconds(replay.durationMs)}`,
    `  ${after.equal ? right : wrong} verify() finds ${after.equal ? "no difference" : "differences"} any more`,
    `  ${nextId.next > nextId.highest ? right : wrong} a new note gets the id ${nextId.next}, the highest is ${nextId.highest}`,
  ].join("\n");
}
