import type { Register } from "../run.js";

export const bookmark: Register = (program, action) => {
  program
    .command("bookmark <name>")
    .description("Name this moment, exact to the commit.")
    .action(
      action(async ({ log, out }, name: string) => {
        const made = await log.bookmark(name);
        out.result(made, () => `Bookmark "${made.name}" is at position ${made.position}.`);
      }),
    );
};
