import { jsonOf } from "../json-of.js";
import { counted, tableOf } from "../output.js";
import type { Register } from "../run.js";

export const verify: Register = (program, action) => {
  program
    .command("verify")
    .description("Compare the tables with what the log says; changes nothing. Exit code 1 when they differ.")
    .action(
      action(async ({ log, out, signal }) => {
        const report = await log.verify({ signal });
        const { equal, checked, effectivePosition, counts, differences } = report;
        const total = counts.missing + counts.unexpected + counts.different;
        out.result(report, () => [
          `${counted(checked, "row")} compared with the log up to position ${effectivePosition}.`,
          equal ? "The tables are what the log says." : `${counted(total, "row")} differ:`,
          ...(equal
            ? []
            : [
                tableOf(
                  ["entity", "record", "kind", "columns"],
                  differences.map(({ entity, recordId, kind, columns }) => [
                    entity,
                    jsonOf(recordId),
                    kind,
                    columns.join(", "),
                  ]),
                ),
              ]),
          ...(total > differences.length ? [`The first ${differences.length} are listed.`] : []),
        ]);
        return equal ? undefined : "found";
      }),
    );
};
