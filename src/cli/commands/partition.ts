import type { Register } from "../run.js";

export const partition: Register = (program, action) => {
  program
    .command("partition")
    .description("Begin a new partition of the event table, for retain to drop one day.")
    .action(
      action(async ({ log, out }) => {
        const begun = await log.partition();
        out.result(begun, () => `Events go to ${begun.partition} from position ${begun.from} on.`);
      }),
    );
};
