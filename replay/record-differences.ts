import { insertEvents, ofTracked } from "../entities/functions/insert-events.js";
import type { Origin } from "../entities/event.js";
import { sendableContext } from "../src/core/request-context.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { type Comparing, findDifferences, isRowOf, keySql, row, sourceOf } from "./differing-records.js";
import { stateQuery } from "./fold.js";
import type { FoldSource } from "./fold-source.js";

/** How many events were recorded, by what they say of the record. */
export interface RecordedCounts {
  readonly created: number;
  readonly updated: number;
  readonly destroyed: number;
}

/** What is compared and recorded. */
export interface Recording extends Comparing {
  readonly origin: Extract<Origin, "migration" | "reconcile">;
  readonly dryRun: boolean;
  /**
   * Runs one batch in a new transaction, or in the open one, and retries if a lock was not free. `failures` counts the
   * retries so far.
   */
  readonly batch: <T>(work: (failures: number) => Promise<T>) => Promise<T>;
  /** Told after each batch what it recorded, how many differing records it went through, and how many there are. */
  readonly onBatch: (counts: RecordedCounts, progress: { readonly read: number; readonly total: number }) => void;
}

/** Records per transaction: their locks are held while it runs. */
const batchSize = 5_000;

const [differing, changedSince] = ["chronicle_differing", "chronicle_changed_since"] as const;

/**
 * Records what rows have and the log does not: for each row that differs in the columns an update event with old and
 * new values, for each that the log does not know a create event, for each record that the table does not have a
 * destroy event. All are found first, by one statement and without a lock: a write that is captured makes none that
 * agreed differ. Then they are recorded in batches, beside running writers. Nobody changes a record between its fold
 * and its event: a row is locked and has to be the version that was compared, or is compared again under the lock.
 */
export async function recordDifferences(session: Session, recording: Recording): Promise<void> {
  const { batch, dryRun, onBatch } = recording;
  const total = await batch(() => findDifferences(session, recording, differing));
  if (dryRun) {
    const wanted = wantedEffects(recording, sql`select * from pg_temp.${raw(differing)}`);
    const counts = await session.row(sql`
      select count(*) filter (where action = 'create') as created, count(*) filter (where action = 'update') as updated,
        count(*) filter (where action = 'destroy') as destroyed
      from (${wanted}) e`);
    const count = (name: keyof RecordedCounts) => numberOf(counts, name);
    const found = { created: count("created"), updated: count("updated"), destroyed: count("destroyed") };
    onBatch(found, { read: total, total });
  }
  for (let after = 0; !dryRun && after < total;) {
    const from = after;
    const { page, counts } = await batch(async (failures) => {
      // If rows of a page stay locked, ever fewer, down to one, which waits holding no other.
      const next = await nextPage(session, recording, from, Math.max(1, Math.floor(batchSize / 4 ** failures)));
      const { relation } = next;
      const work = relation === undefined ? recordEnds : recordRows;
      return { page: next, counts: await work(session, recording, next) };
    });
    onBatch(counts, { read: page.read, total });
    after += page.read;
  }
  await batch(() => session.run(`drop table pg_temp.${differing}`));
}

/** Tells of every record that the table had before it got another key at a position that it goes on under that. */
export async function recordFarewells(session: Session, recording: Recording, position: bigint): Promise<void> {
  const then: Cut = { position: position - 1n, leftOut: [], epoch: 0 };
  const source = { ...sourceOf(recording), cut: then, asRecorded: true };
  const rows = await recording.batch(() =>
    session.rows(sql`select f.record_key as key from (${stateQuery(source, recording.table)}) f where f.alive`),
  );
  for (let start = 0; start < rows.length; start += batchSize) {
    const keys = rows.slice(start, start + batchSize).map(({ key: of }) => of ?? "");
    const changes = effectsOfEnds(recording, { ...source, only: sql`e.record_key = any (${keys})` }, position);
    const counts = await recording.batch(() => record(session, recording, changes));
    recording.onBatch(counts, { read: keys.length, total: rows.length });
  }
}

/** Some of what differs: rows that lie in one table or partition, or records without a row. */
interface Page {
  /** SQL over what differs, `d`: whether it is in the page. */
  readonly within: Statement;
  readonly read: number;
  /** SQL that names the table or partition; undefined for records without a row. */
  readonly relation: string | undefined;
  /** SQL over a row `t` of it: whether it lies between the page's first and last. */
  readonly nearby: Statement;
}

async function nextPage(session: Session, { schema }: Recording, after: number, size: number): Promise<Page> {
  const found = await session.row(sql`
    select max(d.ordinal) as last, count(*) as read, min(d.row_place) as low, max(d.row_place) as high,
      ${raw(schema)}.table_name(d.row_table) as relation
    from pg_temp.${raw(differing)} d
    where d.ordinal > ${after} and d.ordinal <= ${after + size}
    group by d.row_table
    order by d.row_table
    limit 1`);
  return {
    within: sql`d.ordinal > ${after} and d.ordinal <= ${found?.last ?? null}::bigint`,
    read: numberOf(found, "read"),
    relation: found?.relation ?? undefined,
    nearby: sql`t.ctid >= ${found?.low ?? null}::tid and t.ctid <= ${found?.high ?? null}::tid`,
  };
}

/** Records the rows of a page that are as they were when they were compared; then the others, compared again. */
async function recordRows(session: Session, recording: Recording, page: Page): Promise<RecordedCounts> {
  const { within, nearby, relation = "" } = page;
  const isSame = sql`t.ctid = d.row_place and t.xmin = d.row_version`;
  const unchanged = sql`
    select d.*
    from only ${raw(relation)} t
    join (select * from pg_temp.${raw(differing)} d where ${within} offset 0) d on ${isSame}
    where ${nearby}
    for share of t`;
  const counts = await record(session, recording, unchanged);
  if (counts.created + counts.updated === page.read) return counts;
  const columns = recording.table.keyColumns.map((_, index) => `jsonb_agg(d.key_${index}::text) as key_${index}`);
  const found = await session.row(sql`
    select jsonb_agg(d.record_key) as records, ${raw(columns.join(", "))}
    from pg_temp.${raw(differing)} d
    where ${within} and not exists (select from only ${raw(relation)} t where ${nearby} and ${isSame})`);
  if (found?.records == null) return counts;
  const keys = {
    records: JSON.parse(found.records) as string[],
    rows: columns.map((_, index) => JSON.parse(found[`key_${index}`] ?? "[]") as string[]),
  };
  await session.rows(sql`
    select from ${raw(recording.relation ?? recording.table.sqlName)} ${raw(row)}
    where ${isRowOf(recording.table, keys)}
    for share of ${raw(row)}`);
  await findDifferences(session, { ...recording, missingRows: false }, changedSince, keys);
  const rest = await record(session, recording, sql`select * from pg_temp.${raw(changedSince)}`);
  await session.run(`drop table pg_temp.${changedSince}`);
  return { created: counts.created + rest.created, updated: counts.updated + rest.updated, destroyed: 0 };
}

/** There is no row to lock, and one may come: nobody writes while these few are recorded. */
async function recordEnds(session: Session, recording: Recording, { within }: Page): Promise<RecordedCounts> {
  const { table } = recording;
  await session.run(`lock table ${table.sqlName} in share row exclusive mode`);
  const rows = await session.rows(sql`select d.record_key as key from pg_temp.${raw(differing)} d where ${within}`);
  const keys = rows.map(({ key }) => key ?? "");
  const key = raw(keySql(recording));
  const only = sql`e.record_key = any (${keys}) and not exists (
      select from ${raw(table.sqlName)} ${raw(row)}
      where ${key} = e.record_key and ${key} = any (${keys}))`;
  return record(session, recording, effectsOfEnds(recording, { ...sourceOf(recording), only }));
}

/** What the end of records of the log is recorded with: their whole state, under the key and id that the log has. */
function effectsOfEnds({ schema, table }: Recording, source: FoldSource, rekeyed?: bigint): Statement {
  const more =
    rekeyed === undefined
      ? sql`null::jsonb`
      : sql`jsonb_build_object('rekeyed', jsonb_build_object('at', ${rekeyed}::bigint))`;
  return sql`
    select f.record_key, f.state as image, 'destroy' as action, '{}'::jsonb as data, f.state as previous, ${more} as more,
      (select e.record_id
       from ${raw(schema)}.event e
       where e.table_name = any (${table.logNames}) and e.record_key = f.record_key
       order by e.position desc
       limit 1) as record_id
    from (${stateQuery(source, table)}) f
    where f.alive is not false`;
}

/** SQL of a column of the table's row in `tracked`, read once a statement. */
function trackedColumn({ schema, table }: Recording, column: string): string {
  return `(select ${column} from ${schema}.tracked k where table_name = ${quoteLiteral(table.tableName)})`;
}

/** Of effects (record_key, record_id, image, action, data, previous, more) those that the table records. */
function wantedEffects(recording: Recording, effects: Statement): Statement {
  const of = (column: string) => raw(trackedColumn(recording, column));
  return sql`
    select d.record_key, d.record_id, d.image, d.action, d.data, d.previous, d.more,
      ${of("discriminator_entities")} -> (d.image ->> ${of("discriminator_column")}) as child
    from (${effects}) d
    where d.action = any (${of("actions")}::text[])`;
}

/** Writes the events of effects. */
async function record(session: Session, recording: Recording, effects: Statement): Promise<RecordedCounts> {
  const { schema, table, origin } = recording;
  const of = (column: string) => trackedColumn(recording, column);
  const columns = `array[${table.columns.map(({ name }) => quoteLiteral(name)).join(", ")}]::text[]`;
  const context = `${quoteLiteral(sendableContext()?.json.text ?? "{}")}::jsonb`;
  const { text, values } = wantedEffects(recording, effects);
  const written = insertEvents(schema, {
    ...ofTracked(schema, of),
    effects: text,
    recordKey: "record_key",
    recordId: "record_id",
    hidden: `(
      select array_agg(name) from unnest(${columns}) as c (name) where name <> all (${of("plain_columns")}::text[]))`,
    // What the log says there itself, nobody else can.
    context: `jsonb_set(${context}, '{metadata}',
      (coalesce(${context} -> 'metadata', '{}') - 'rekeyed') || coalesce(more, '{}'))`,
    origin: quoteLiteral(origin),
    shape: of(`${schema}.note_shape(k, k.table_oid)`),
  });
  await session.rows(sql`select ${raw(schema)}.lock_log(null, false)`);
  const rows = await session.rows({ text: `${written} returning action`, values });
  if (rows.length > 0) await session.run(`select ${schema}.wake_tails()`);
  const count = (action: string) => rows.filter((row) => row.action === action).length;
  return { created: count("create"), updated: count("update"), destroyed: count("destroy") };
}
