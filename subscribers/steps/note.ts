import type { Link } from "../../src/core/attachment.js";
import { requestContext, sendableContext } from "../../src/core/request-context.js";
import { quoteIdentifier, quoteLiteral } from "../../src/core/sql.js";
import type { TrackedTable } from "../../src/log/tracked-tables.js";
import type { Cascade } from "../captured-tables.js";
import { type Connection, type Step, type Taken, withText } from "../connection.js";
import { judge, type Judgement } from "../judge.js";
import type { NotedContext } from "../notes.js";
import type { ReportUncaptured } from "../report.js";
import { masked } from "../sql-text.js";

const keyColumn = " chronicle";

/** Notes which records a write touches, by the keys that the database returns; reports what cannot be noted. */
export function note(link: Link, report: ReportUncaptured): Step {
  return (statement, connection) => {
    const { dataSource } = link;
    if (dataSource === undefined) return undefined;
    const { text, query, values } = statement;
    let taken: Taken | undefined;
    for (const judgement of judge(dataSource, text, connection.transaction)) {
      if (judgement.kind === "uncaptured") report(text, judgement.entities, judgement.because);
      else if (judgement.kind === "captured" && query.submit !== undefined)
        report(text, [judgement.table.entity], "it is streamed");
      else if (judgement.kind === "captured") taken = around(taken, returningKeys(judgement, text, connection, report));
      else taken = around(taken, checkingCascades(judgement, text, values, connection, report));
    }
    return taken;
  };
}

/** Asks the database for the keys of the rows that it writes, and keeps them from the application. */
function returningKeys(
  { table, verb, target }: Extract<Judgement, { kind: "captured" }>,
  text: string,
  connection: Connection,
  report: ReportUncaptured,
): NonNullable<Taken["around"]> {
  const returns = /\breturning\b/i.test(masked(text));
  const touch = connection.transaction.notes.add({ table, verb, context: notedContext(), keys: [] });
  const key = `pg_catalog.jsonb_build_array(${keyValues(table, target)})::pg_catalog.text as ${quoteIdentifier(keyColumn)}`;
  return async (send, query) => {
    const result = (await send(withText(query, `${text}${returns ? "," : " returning"} ${key}`))) as Answer;
    if (connection.isInTransaction() === false) report(text, [table.entity], "the server had no transaction open");
    touch.keys = result.rows.map((row) => row[keyColumn] as string);
    if (!returns) return Object.assign(result, { rows: [], fields: [] });
    for (const row of result.rows) delete row[keyColumn];
    result.fields.pop();
    return result;
  };
}

interface Answer {
  readonly rows: Record<string, unknown>[];
  readonly fields: unknown[];
}

/** Digits beyond what a JavaScript number holds go as text. */
const manyDigits = new Set<unknown>(["bigint", "int8", "bigserial", "numeric", "decimal"]);

/** Types below are PostgreSQL's own. Others may have a cast to json that says anything: of these the text is taken. */
const firstMadeType = 16_384;

function keyValues(table: TrackedTable, target: string): string {
  return table.metadata.primaryColumns
    .map(({ databaseName, type }) => {
      const column = `${target}.${quoteIdentifier(databaseName)}`;
      const asText = `pg_catalog.to_jsonb(pg_catalog.format('%s', ${column}))`;
      if (manyDigits.has(type)) return asText;
      return `case
        when pg_catalog.pg_typeof(${column})::pg_catalog.oid operator(pg_catalog.<) '${firstMadeType}'::pg_catalog.oid
        then pg_catalog.to_jsonb(${column}) else ${asText}
      end`;
    })
    .join(", ");
}

/**
 * Before a delete, asks whether the database would change tracked rows with it: only then is there something to report. It asks as the
 * application, so where row level security might hide such rows, which the database changes all the same, it reports that.
 */
function checkingCascades(
  { target, cascades }: Extract<Judgement, { kind: "cascading" }>,
  text: string,
  values: readonly unknown[],
  connection: Connection,
  report: ReportUncaptured,
): NonNullable<Taken["around"]> {
  return async (send, query) => {
    const condition = /\bwhere\b([\s\S]*?)(?:\breturning\b|;|$)/i.exec(text)?.[1];
    for (const cascade of masked(text) === text ? cascades : []) {
      const { rows } = await connection.own(
        rowsThatGo(target, cascade, condition),
        condition === undefined ? [] : values,
      );
      const [found] = rows;
      if (found?.["hides"] === "true")
        report(text, cascade.entities, "the database may change rows of them with it that row level security hides");
      else if (found !== undefined) report(text, cascade.entities, "the database changes their rows with it");
    }
    if (masked(text) !== text)
      for (const { entities } of cascades) report(text, entities, "the database may change their rows with it");
    return send(query);
  };
}

function rowsThatGo(target: string, { child, columns, ownKey }: Cascade, given: string | undefined): string {
  const condition = given ?? "true";
  const refers = columns.map(([own, referred]) => `" child".${own} = ${target}.${referred}`).join(" and ");
  const isSame = ownKey.map((name) => `" child".${name} = ${target}.${name}`).join(" and ");
  const goesAnyway = isSame === "" ? "" : ` and not exists (select from ${target} where ${isSame} and (${condition}))`;
  // A condition is asked only of rows that may be selected; without one, a delete takes others too.
  const partly = given === undefined ? [child, target] : [child];
  const hides = partly.map((table) => `pg_catalog.row_security_active(${quoteLiteral(table)})`).join(" or ");
  return `select (${hides})::pg_catalog.text as hides where ${hides} or exists (
    select from ${child} " child" where exists (select from ${target} where ${refers} and (${condition}))${goesAnyway})`;
}

function around(outer: Taken | undefined, inner: NonNullable<Taken["around"]>): Taken {
  const before = outer?.around;
  if (before === undefined) return { around: inner };
  return { around: (send, query) => before((next) => inner(send, next), query) };
}

function notedContext(): NotedContext | undefined {
  const [context, sendable] = [requestContext(), sendableContext()];
  return context === undefined || sendable === undefined ? undefined : { context, json: sendable.json };
}
