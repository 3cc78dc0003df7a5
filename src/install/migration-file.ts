import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, extname, resolve } from "node:path";
import { EventLogError } from "../core/errors.js";

const extensions = [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"];

/**
 * Writes a TypeORM migration that installs the log, and takes it away again as long as it holds no event.
 * TypeORM orders migrations by the timestamp that ends the class's name: the file name's, where it begins with one, else now.
 * Throws OPTIONS_INVALID where the file exists or is no script.
 */
export async function writeMigration(file: string): Promise<{ file: string }> {
  if (typeof file !== "string" || !extensions.includes(extname(file))) {
    throw invalid(`expected the file of the migration to end in ${extensions.join(", ")}, got: ${String(file)}`);
  }
  const path = resolve(file);
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(path, textOf(path), { flag: "wx" });
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") throw invalid(`${path} exists already`);
    throw error;
  }
  return { file: path };
}

function textOf(path: string): string {
  const extension = extname(path);
  const name = `InstallEventLog${/^\d{13}/.exec(basename(path))?.[0] ?? Date.now()}`;
  const typed = extension.endsWith("ts");
  const head = [
    ...(typed ? ['import type { MigrationInterface, QueryRunner } from "typeorm";'] : []),
    extension === ".cjs"
      ? 'const { eventLog } = require("typeorm-chronicle");'
      : 'import { eventLog } from "typeorm-chronicle";',
  ];
  const declaration = `${extension === ".cjs" ? `exports.${name} = ` : "export "}class ${name}${typed ? " implements MigrationInterface" : ""}`;
  const method = (of: string, call: string) =>
    `  async ${of}(queryRunner${typed ? ": QueryRunner): Promise<void>" : ")"} {
    await eventLog(queryRunner.dataSource).${call}({ queryRunner });
  }`;
  return `${head.join("\n")}

/** Made by \`chronicle migration\`. Raise \`version\` of an entity together with the migration that changes its table, and install again there. */
${declaration} {
  name = "${name}";

${method("up", "install")}

  /** Refused while the log holds events. */
${method("down", "uninstall")}
}
`;
}

function invalid(what: string): EventLogError {
  return new EventLogError("OPTIONS_INVALID", `${what}.`, {
    hint: "Name a new file, such as src/migrations/1700000000000-event-log.ts.",
  });
}
