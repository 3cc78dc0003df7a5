import { effectsOfImages, insertEvents, ofTracked } from "../entities/functions/insert-events.js";
import type { Origin } from "../entities/event.js";
import { isValueError } from "../src/core/database-errors.js";
import { sendableContext } from "../src/core/request-context.js";
import { numberOf, type Session, type TextRow } from "../src/core/session.js";
import { join, quoteIdentifier, quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import type { FormerKeyColumn } from "../src/log/comparison.js";
import type { Cut } from "../src/log/cut.js";
import { stateQuery } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { type FoldColumn, type FoldTable, isReadApart, valueSql } from "./fold-table.js";
import type { Plan } from "./plan.js";

/** How many events were recorded, by what they say of the record. */
export interface RecordedCounts {
  readonly created: number;
  readonly updated: number;
  readonly destroyed: number;
}

/** What is compared and recorded. */
export interface Recording {
  readonly schema: string;
  readonly table: FoldTable;
  readonly plan: Plan;
  /** The table of changes that stand in for events of old versions. */
  readonly staged: string;
  readonly origin: Extract<Origin, "migration" | "reconcile">;
  /** SQL that makes the image of a row `t` in the log. */
  readonly image: string;
  /** Of the records that the log knows, these columns. */
  readonly columns: readonly FoldColumn[];
  /**
   * Of these, if handlers make older events, the value is recorded only for records that have none: what a handler gave
   * stands.
   */
  readonly added: readonly string[];
  /** Rows that the log does not know become create events. */
  readonly unknownRows: boolean;
  /** Whose rows: the table, or a partition of it. (Default: the table) */
  readonly relation?: string | undefined;
  /** The key that records had before, by columns that the table still has. */
  readonly formerKey?: readonly FormerKeyColumn[] | undefined;
  readonly dryRun: boolean;
  /**
   * Runs each batch, in a transaction of its own or in the one that is open, and again if a lock was not free:
   * `failures` times so far.
   */
  readonly batch: <T>(work: (failures: number) => Promise<T>) => Promise<T>;
  readonly onBatch: (counts: RecordedCounts, rows: number) => void;
}

/** Rows per transaction: their locks are held while it runs. */
const batchSize = 2_000;

/** Everything that is committed, and this transaction's own. */
const everything: Cut = { position: 2n ** 63n - 1n, leftOut: [], epoch: 0 };

/**
 * Records what rows have and the log does not: for each row that differs in the columns an update event with old and
 * new values, for each that the log does not know a create event. Goes through the table by its key, in batches beside
 * running writers. Rows are locked by one statement and folded by the next: nobody changes a record between its fold
 * and its event.
 */
export async function recordRows(session: Session, recording: Recording): Promise<void> {
  let comparesValues = true;
  let last: readonly string[] | undefined;
  do {
    const after = last;
    const { read, counts } = await recording.batch(async (failures) => {
      // If rows of a page stay locked, ever fewer, down to one, which waits holding no other.
      const size = Math.max(1, Math.floor(batchSize / 4 ** failures));
      const page = await lockPage(session, recording, { after, size });
      if (page.keys.length === 0) return { read: page, counts: none };
      if (comparesValues) {
        try {
          const compare = () => record(session, recording, changesOfRows(recording, page, true));
          return { read: page, counts: await session.attempt(compare) };
        } catch (error) {
          if (!isValueError(error)) throw error;
          // A stored value does not cast to the column's type. From here on images decide: a value in another form
          // counts as another.
          comparesValues = false;
        }
      }
      return { read: page, counts: await record(session, recording, changesOfRows(recording, page, false)) };
    });
    recording.onBatch(counts, read.keys.length);
    last = read.last;
  } while (last !== undefined);
}

/** Tells of every record that the table had before it got another key at a position that it goes on under that. */
export async function recordFarewells(session: Session, recording: Recording, position: bigint): Promise<void> {
  const then: Cut = { position: position - 1n, leftOut: [], epoch: 0 };
  const source = { ...sourceOf(recording), cut: then };
  const rows = await recording.batch(() =>
    session.rows(sql`select f.record_key as key from (${stateQuery(source, recording.table)}) f where f.alive`),
  );
  for (let start = 0; start < rows.length; start += batchSize) {
    const keys = rows.slice(start, start + batchSize).map(({ key: of }) => of ?? "");
    const changes = endsOfRecords(recording, { ...source, only: sql`e.record_key = any (${keys})` }, position);
    recording.onBatch(await recording.batch(() => record(session, recording, changes)), 0);
  }
}

/** Records the end of every record that the log has and the table does not; returns when none is left. */
export async function recordMissing(session: Session, recording: Recording): Promise<void> {
  const missing = await recording.batch(() => missingKeys(session, recording));
  for (let start = 0; start < missing.length; start += batchSize) {
    const keys = missing.slice(start, start + batchSize);
    const counts = await recording.batch(async () => {
      // There is no row to lock, and one may come: nobody writes while these few are recorded.
      if (!recording.dryRun) await session.run(`lock table ${recording.table.sqlName} in share row exclusive mode`);
      const { schema, table } = recording;
      const key = raw(keySql(recording, "t"));
      const source = {
        ...sourceOf(recording),
        only: sql`e.record_key = any (${keys}) and not exists (
          select from ${raw(table.sqlName)} t
          where ${key} = e.record_key and ${key} = any (${keys}))`,
      };
      return record(session, recording, endsOfRecords({ schema, table }, source));
    });
    recording.onBatch(counts, 0);
  }
}

const none: RecordedCounts = { created: 0, updated: 0, destroyed: 0 };

interface Page {
  /** The records' keys in the log. */
  readonly keys: readonly string[];
  /** SQL over a row `t`: whether it lies in the page. */
  readonly within: Statement;
  /** The key of the last row, as text; undefined at the end of the table. */
  readonly last: readonly string[] | undefined;
}

async function lockPage(
  session: Session,
  recording: Recording,
  { after, size }: { after: readonly string[] | undefined; size: number },
): Promise<Page> {
  const { table, relation = table.sqlName, dryRun } = recording;
  const keys = table.keyColumns.map(quoteIdentifier);
  const list = (alias: string, cast = "") => keys.map((key) => `${alias}.${key}${cast}`).join(", ");
  const beyond = (values: readonly string[], operator: string) => {
    const typed = values.map((value, index) => {
      const type = table.columns.find(({ name }) => name === table.keyColumns[index])?.type ?? "text";
      return sql`${value}::text::${raw(type)}`;
    });
    return sql`(${raw(list("t"))}) ${raw(operator)} (${join(typed, ", ")})`;
  };
  const further = after === undefined ? sql`true` : beyond(after, ">");
  // The page is made of the rows that were there before they were locked: some may be deleted while it waits for them.
  const row = await session.row(sql`
    with page as materialized (
      select ${raw(list("t"))} from ${raw(relation)} t where ${further} order by ${raw(list("t"))} limit ${size}
    ),
    locked as materialized (
      select ${raw(keySql(recording, "t"))} as key
      from ${raw(relation)} t join page p on ${raw(keys.map((key) => `p.${key} = t.${key}`).join(" and "))}
      ${raw(dryRun ? "" : "for share of t")}
    )
    select (select coalesce(jsonb_agg(key), '[]') from locked) as keys, (select count(*) from page) as read,
      (select to_jsonb(array[${raw(list("p", "::text"))}])
       from page p
       order by ${raw(keys.map((key) => `p.${key} desc`).join(", "))}
       limit 1) as last`);
  const last = numberOf(row, "read") < size ? undefined : (JSON.parse(row?.last ?? "[]") as string[]);
  const until = last === undefined ? sql`` : sql` and ${beyond(last, "<=")}`;
  return { keys: JSON.parse(row?.keys ?? "[]") as string[], within: sql`${further}${until}`, last };
}

/** SQL: the key in the log of a row. */
function keySql({ schema, table }: Recording, alias: string, names: readonly string[] = table.keyColumns): string {
  const id = names.map((name) => `${quoteLiteral(name)}, ${alias}.${quoteIdentifier(name)}`).join(", ");
  return `${schema}.record_key(jsonb_build_object(${id}), array[${names.map(quoteLiteral).join(", ")}]::text[])`;
}

const [image, key] = ['" chronicle image"', '" chronicle key"'] as const;

/** Changes, as effectsOfImages takes them, of the rows of a page that differ from their records. */
function changesOfRows(recording: Recording, { keys, within }: Page, comparesValues: boolean): Statement {
  const { table, columns, added, unknownRows, relation = table.sqlName, formerKey } = recording;
  const source = { ...sourceOf(recording), only: sql`e.record_key = any (${keys})` };
  const apart = table.columns.filter(isReadApart).map(({ name }) => quoteLiteral(name));
  const differs = columns.map((column) => {
    const name = quoteLiteral(column.name);
    const value = valueSql(column);
    const sql = comparesValues
      ? `(row(${value})::record *<> row(l.${column.quoted})::record
        and (${value})::text is distinct from l.${column.quoted}::text)`
      : `((f.state ->> ${name}) is distinct from (l.${image} ->> ${name}))`;
    return {
      name,
      sql: added.includes(column.name) && recording.plan.handled !== "" ? `(not f.state ? ${name} and ${sql})` : sql,
    };
  });
  const stored = differs.map(
    ({ name, sql: condition }) =>
      ` || case when ${condition} then jsonb_build_object(${name}, coalesce(f.state -> ${name}, 'null')) else '{}' end`,
  );
  const isDifferent = differs.length === 0 ? "false" : differs.map(({ sql: condition }) => condition).join(" or ");
  const origin = formerKey === undefined ? "null::jsonb" : formerRecord(recording.schema, formerKey);
  const rebuilt = comparesValues
    ? sql`left join lateral
      jsonb_populate_record(null::${raw(table.sqlName)}, f.state - array[${raw(apart.join(", "))}]::text[]) r on true`
    : sql``;
  return sql`
    select row_number() over () as ordinal, l.${raw(image)} as new,
      case when f.alive then l.${raw(image)}${raw(stored.join(""))} end as old,
      null::text as known_key, null::jsonb as known_id, case when f.alive is not true then ${raw(origin)} end as more
    from (
      select t.*, ${raw(keySql(recording, "t"))} as ${raw(key)}, ${raw(recording.image)} as ${raw(image)}
      from ${raw(relation)} t where ${within}
    ) l
    left join (${stateQuery(source, table)}) f on f.record_key = l.${raw(key)}
    ${rebuilt}
    where l.${raw(key)} = any (${keys})
    and case when f.alive then ${raw(isDifferent)} else ${raw(String(unknownRows))} end
`;
}

/** SQL over a row `l`: which record it was before its table got another key. */
function formerRecord(schema: string, key: readonly FormerKeyColumn[]): string {
  const values = key.map(({ name, labels }) => {
    const value = `l.${image} -> ${quoteLiteral(name)}`;
    if (Object.keys(labels).length === 0) return `${quoteLiteral(name)}, ${value}`;
    return `${quoteLiteral(name)}, ${schema}.relabelled(${value}, ${quoteLiteral(JSON.stringify(labels))}::jsonb)`;
  });
  const names = `array[${key.map(({ name }) => quoteLiteral(name)).join(", ")}]::text[]`;
  return `(select jsonb_build_object('rekeyed', jsonb_build_object(
        'from', k.id, 'key', ${schema}.record_key(k.id, ${names})))
      from (select jsonb_build_object(${values.join(", ")}) as id) k)`;
}

/** Changes that end records of the log: (their whole state, under the key and id that the log has for them). */
function endsOfRecords(
  { schema, table }: Pick<Recording, "schema" | "table">,
  source: FoldSource,
  rekeyed?: bigint,
): Statement {
  const more =
    rekeyed === undefined
      ? sql`null::jsonb`
      : sql`jsonb_build_object('rekeyed', jsonb_build_object('at', ${rekeyed}::bigint))`;
  return sql`
    select row_number() over () as ordinal, null::jsonb as new, f.state as old, f.record_key as known_key,
      (select e.record_id
       from ${raw(schema)}.event e
       where e.table_name = any (${table.logNames}) and e.record_key = f.record_key
       order by e.position desc
       limit 1) as known_id,
      ${more} as more
    from (${stateQuery(source, table)}) f
    where f.alive is not false`;
}

async function missingKeys(session: Session, recording: Recording): Promise<string[]> {
  const { table } = recording;
  const rows = await session.rows(sql`
    with live as materialized (select ${raw(keySql(recording, "t"))} as key from ${raw(table.sqlName)} t)
    select f.record_key as key from (${stateQuery(sourceOf(recording), table)}) f
    where f.alive is not false and not exists (select from live where live.key = f.record_key)`);
  return rows.map(({ key: of }) => of ?? "");
}

function sourceOf({ schema, plan, staged }: Recording): FoldSource {
  return { schema, cut: everything, plan, staged };
}

/** Writes the events of changes; a dry run only counts them. */
async function record(session: Session, recording: Recording, changes: Statement): Promise<RecordedCounts> {
  const { schema, table, origin, dryRun } = recording;
  const context = quoteLiteral(sendableContext()?.json.text ?? "{}");
  const ofTable = {
    text: `select c.*, k.*, k.discriminator_entities -> (coalesce(c.new, c.old) ->> k.discriminator_column) as child,
      case when c.more is null then ${context}::jsonb
        else jsonb_set(${context}::jsonb, '{metadata}', coalesce(${context}::jsonb -> 'metadata', '{}') || c.more)
      end as context
    from (${changes.text}) c
    cross join (
      select k.*, ${schema}.note_shape(k, k.table_oid) as shape
      from ${schema}.tracked k
      where k.table_name = ${quoteLiteral(table.tableName)}
      offset 0
    ) k`,
    values: changes.values,
  };
  const effects = effectsOfImages({
    changes: ofTable.text,
    sameRecord: "c.old is not null and c.new is not null",
    plainColumns: "plain_columns",
    actions: "actions",
  });
  if (dryRun)
    return countsOf(await session.rows({ text: `select action from (${effects}) e`, values: ofTable.values }));
  await session.rows(sql`select ${raw(schema)}.lock_log(null, false)`);
  const tracked = ofTracked(schema);
  const written = insertEvents(schema, {
    effects,
    ...tracked,
    recordKey: `coalesce(known_key, ${tracked.recordKey})`,
    recordId: `coalesce(known_id, ${tracked.recordId})`,
    context: "context",
    origin: quoteLiteral(origin),
    shape: "shape",
  });
  const rows = await session.rows({ text: `${written} returning action`, values: ofTable.values });
  if (rows.length > 0) await session.run(`select ${schema}.wake_tails()`);
  return countsOf(rows);
}

function countsOf(rows: readonly TextRow[]): RecordedCounts {
  const count = (action: string) => rows.filter((row) => row.action === action).length;
  return { created: count("create"), updated: count("update"), destroyed: count("destroy") };
}
