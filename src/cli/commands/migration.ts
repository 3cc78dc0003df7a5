import type { Register } from "../run.js";

export const migration: Register = (program, action) => {
  program
    .command("migration <file>")
    .description("Write a TypeORM migration that installs the log; its down refuses while the log holds events.")
    .action(
      action(async ({ log, out }, file: string) => {
        const written = await log.migration(file);
        out.result(written, () => `Wrote ${written.file}. Run it with TypeORM's migration:run.`);
      }),
    );
};
