#!/usr/bin/env node
import "reflect-metadata";
import { Command, CommanderError } from "commander";
import { readFileSync } from "node:fs";
import { commands } from "./commands/index.js";
import { printableLines } from "./printable.js";
import { actionOf, tell } from "./run.js";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("chronicle")
  .description("The event log of a TypeORM DataSource: set it up, read it, replay it, compare it.")
  .version(version)
  .option("-d, --data-source <file>", "compiled module that exports the DataSource, as for TypeORM's own command")
  .option("--json", "one JSON document on stdout")
  .configureOutput({ writeErr: (text) => void process.stderr.write(printableLines(text)) })
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .addHelpText("after", "\nExit codes: 0 done, 1 a check found something or the work failed, 2 wrong usage.");

const action = actionOf(program);
for (const register of commands) register(program, action);

// A reader that has seen enough, such as head, closes the pipe: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  // commander has told its own errors already; help and version are none.
  if (!(error instanceof CommanderError)) tell(error, false);
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : 2;
}
