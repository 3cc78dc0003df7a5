import { styleText } from "node:util";
import type { Facts } from "../facts.js";
import { appendOnly, mended, replayed } from "./proof-chapters.js";
import { signedIn } from "./activity-chapter.js";
import type { Report } from "./report.js";
import { history, imported, migrated, requests, sensitive, uncaptured, versions, written } from "./story-chapters.js";
import { seconds } from "./words.js";

type Chapters = { readonly [Chapter in keyof Facts]: (facts: Facts[Chapter]) => string };

const chapters: Chapters = {
  imported,
  migrated,
  written,
  uncaptured,
  requests,
  history,
  sensitive,
  versions,
  appendOnly,
  replayed,
  mended,
  signedIn,
  closing,
};

const headings: Readonly<Record<keyof Facts, string | undefined>> = {
  // Its heading comes before the progress.
  imported: undefined,
  migrated: "Release 2 splits the currency's label into name and symbol",
  written: "Three people and a job write, in every common way",
  uncaptured: "What the entity subscriber could not record, and said so",
  requests: "Who did what, and why: one event of each of the last twelve requests",
  history: "One record's history",
  sensitive: "A sensitive column is recorded, and shown to nobody",
  versions: "An event of version 1, and what it makes today",
  appendOnly: "The log's own owner tries to rewrite it",
  replayed: "Back to an earlier point, and forward again: every table as plain SQL reads it",
  mended: "Three rows spoiled with the triggers disabled",
  signedIn: "What people tried: sign-ins, an attack that raises an alert, an export",
  closing: undefined,
};

/** A page to read, with colours on a terminal only. */
export function textReport(output: NodeJS.WriteStream): Report {
  const print = (text: string) => void output.write(`${text}\n`);
  const say = progressOn(output);
  let isBegun = false;
  return {
    progress: (what, done, total) => {
      if (!isBegun) print(styleText("bold", "250 countries of the package world-countries are imported by one job"));
      isBegun = true;
      say(what, done, total);
    },
    tell: (chapter, facts) => {
      const heading = headings[chapter];
      if (heading !== undefined) print(`\n${styleText("bold", heading)}`);
      print(chapters[chapter](facts));
    },
    end: () => {},
  };
}

const barLength = 30;

/** A bar that moves on a terminal, one line per kind when it is done elsewhere. */
function progressOn(output: NodeJS.WriteStream): Report["progress"] {
  return (what, done, total) => {
    const line = `  ${what.padEnd(12)}${String(done).padStart(4)} of ${total}`;
    const filled = Math.round((done / total) * barLength);
    if (output.isTTY)
      output.write(`\r${line.padEnd(30)}${styleText("cyan", "█".repeat(filled))}${"░".repeat(barLength - filled)}`);
    if (done === total) output.write(output.isTTY ? "\n" : `${line}\n`);
  };
}

function closing({ differences, durationMs }: Facts["closing"]): string {
  if (differences.length === 0) {
    return `\n${styleText("green", `✓ Everything came back equal, in ${seconds(durationMs)}.`)}`;
  }
  const list = differences.map((difference) => `  ${styleText("red", "✗")} ${difference}`);
  return ["", styleText("red", `Not everything came back equal, after ${seconds(durationMs)}:`), ...list].join("\n");
}
