import { Option } from "commander";
import type { DataSource } from "typeorm";
import { counted } from "../output.js";
import { pointHelp, pointOf } from "../point.js";
import type { Register } from "../run.js";
import { UsageError } from "../usage-error.js";

interface Options {
  readonly to?: string;
  readonly schema: string;
  readonly drop?: boolean;
}

export const shadow: Register = (program, action) => {
  program
    .command("shadow")
    .description(
      "Build the tables as they were in a schema beside the live ones, for queries. Replaces an earlier one.",
    )
    .option("--to <point>", "the point in time (default: now)")
    .option("--schema <name>", "the schema", "chronicle_shadow")
    .addOption(new Option("--drop", "drop the shadow that is there").conflicts("to"))
    .addHelpText("after", `\n${pointHelp}`)
    .action(
      action(async ({ log, dataSource, out, progress, signal }, { to, schema, drop }: Options) => {
        if (drop) {
          const dropped = await dropShadow(dataSource, schema);
          out.result({ schema, dropped }, () => (dropped ? `Dropped ${schema}.` : `There is no schema ${schema}.`));
          return;
        }
        const point = to === undefined ? undefined : pointOf(to);
        const { manager, report } = await log.shadow(point, { schema, signal, onProgress: progress.step });
        await manager.dataSource.destroy();
        progress.end();
        out.result({ schema, report }, () => [
          `${counted(report.rows.inserted, "row")} in schema ${schema}, as of position ${report.effectivePosition}.`,
          "It stays until `chronicle shadow --drop`.",
        ]);
      }),
    );
};

/** Drops a shadow that an earlier call left, and nothing else. */
async function dropShadow(dataSource: DataSource, schema: string): Promise<boolean> {
  const rows: { ours: boolean | null }[] = await dataSource.query(
    "select obj_description(oid, 'pg_namespace') like 'typeorm-chronicle shadow%' as ours from pg_namespace where nspname = $1",
    [schema],
  );
  const [found] = rows;
  if (found === undefined) return false;
  if (found.ours !== true) throw new UsageError(`The schema ${schema} is no shadow.`);
  await dataSource.query(`drop schema "${schema.replaceAll('"', '""')}" cascade`);
  return true;
}
