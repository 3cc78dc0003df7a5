import { expect } from "chai";
import pg from "pg";
import type { TrackedApplication } from "./tracked-application.js";

/** A table that the oracle watches. */
export interface WatchedTable {
  /** As SQL spells it. */
  readonly table: string;
  /** The name its events must carry; by the row's columns as text under single-table inheritance. */
  readonly entity: string | ((row: Texts) => string);
}

export type Texts = Readonly<Record<string, string | null>>;

/** How many events of each action there are. */
export interface Counts {
  readonly create?: number;
  readonly update?: number;
  readonly destroy?: number;
}

/** A change of one record, every value as the text that PostgreSQL prints for it. */
interface Change {
  readonly entity: string;
  readonly action: "create" | "update" | "destroy";
  readonly data: Texts;
  readonly previous: Texts;
  readonly transactionId: string | null;
}

/**
 * Row triggers that note what really happened, and the comparison of that with what was recorded. Nothing of it uses the
 * library: values are compared as the text that PostgreSQL prints for the column, on one side taken from the row inside the
 * trigger, on the other by casting what the log stored back to the column's type.
 */
export class Oracle {
  private constructor(
    private readonly application: TrackedApplication,
    private readonly tables: ReadonlyMap<string, WatchedTable>,
  ) {}

  /** Puts the row triggers on. To be called after `install()`. */
  static async watch(application: TrackedApplication, tables: readonly WatchedTable[]): Promise<Oracle> {
    await application.query(schema);
    const byName = new Map<string, WatchedTable>();
    for (const watched of tables) {
      const name = await application.value("select oracle.name_of($1)", [watched.table]);
      byName.set(name, watched);
      await application.query(
        `create trigger " oracle notes" after insert or update or delete on ${watched.table} for each row execute function oracle.note(${pg.escapeLiteral(name)})`,
      );
    }
    return new Oracle(application, byName);
  }

  /** Notes the rows that a table, or a partition of it, has as deleted: row triggers do not see a TRUNCATE. */
  async noteTruncate(relation: string, table = relation): Promise<void> {
    await this.application.query("select oracle.note_truncate($1, $2)", [relation, table]);
  }

  /**
   * Runs writes and compares what was recorded with what the row triggers saw: number of events, old and new values,
   * transactions, and the order of each record's changes; and that every event has the actor. Returns how many events of each
   * action there were.
   */
  async compare(write: () => Promise<unknown>, actor?: Actor): Promise<Required<Counts>> {
    const { seen, recorded } = await this.observe(write, { actor });
    expect(byRecord(recorded)).to.deep.equal(byRecord(seen));
    return countsOf(recorded);
  }

  /** Runs writes and gives what the row triggers saw, with `net` one change a record and transaction, and what was recorded. */
  async observe(
    write: () => Promise<unknown>,
    { net = false, actor }: { net?: boolean; actor?: Actor | undefined } = {},
  ): Promise<Observed> {
    const mark = {
      serial: await this.application.value("select coalesce(max(serial), 0) from oracle.change"),
      position: await this.application.value("select coalesce(max(position), 0) from chronicle.event"),
    };
    await write();
    const seen = await this.#seenAfter(mark.serial, net);
    const recorded = await this.#recordedAfter(mark.position, seen);
    const actors = await this.application.query(
      "select distinct actor_type as type, actor_id as id, actor_name as name from chronicle.event where position > $1",
      [mark.position],
    );
    if (actor !== undefined) expect(actors).to.deep.equal(recorded.length === 0 ? [] : [actor]);
    return { seen, recorded };
  }

  async #seenAfter(serial: string, net: boolean): Promise<OfRecord[]> {
    const all = await this.application.query<SeenRow>(
      `select table_name, old_text, new_text, statement, transaction_id,
         (select jsonb_agg(a.attname) from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
          where i.indrelid = table_name::regclass and i.indisprimary) as keys
       from oracle.change where serial > $1 order by serial`,
      [serial],
    );
    const rows = net ? netOf(inOrder(all)) : inOrder(all);
    const changes = rows.flatMap((row) =>
      changesOf(row).map((change) => ({
        ...change,
        table: row.table_name,
        statement: `${row.transaction_id} ${row.statement}`,
      })),
    );
    return destroysFirst(changes).map(({ table, key, image, action, data, previous, transactionId }) => ({
      record: `${table} ${keyText(key)}`,
      change: { entity: this.#entityOf(table, image), action, data, previous, transactionId },
    }));
  }

  /** The recorded events. Where the oracle does not know the transaction, neither does the event. */
  async #recordedAfter(position: string, seen: readonly OfRecord[]): Promise<OfRecord[]> {
    const rows = await this.application.query<RecordedRow>(
      `select oracle.name_of(e.table_name) as "table", e.entity, e.action, e.transaction_id::text as transaction_id,
         oracle.texts_of(e.table_name, e.record_id) as id,
         oracle.texts_of(e.table_name, e.data || coalesce(s.data, '{}')) as data,
         oracle.texts_of(e.table_name, e.previous || coalesce(s.previous, '{}')) as previous
       from chronicle.event e left join chronicle.event_sensitive s using (position)
       where e.position > $1 order by e.position`,
      [position],
    );
    const anyTransaction = new Set(
      seen.filter(({ change }) => change.transactionId === null).map(({ record }) => record),
    );
    return rows.map(({ table, id, entity, action, data, previous, transaction_id }) => {
      const record = `${table} ${keyText(id)}`;
      const transactionId = anyTransaction.has(record) ? null : transaction_id;
      return { record, change: { entity, action, data, previous, transactionId } };
    });
  }

  #entityOf(table: string, image: Texts): string {
    const watched = this.tables.get(table);
    if (watched === undefined) throw new Error(`The oracle does not watch ${table}.`);
    return typeof watched.entity === "string" ? watched.entity : watched.entity(image);
  }
}

/** Who must be named by every event. */
interface Actor {
  readonly type: string;
  readonly id: string;
  readonly name: string;
}

/** A change of one record, the record as text. */
export interface OfRecord {
  readonly record: string;
  readonly change: Change;
}

export interface Observed {
  readonly seen: readonly OfRecord[];
  readonly recorded: readonly OfRecord[];
}

export function countsOf(changes: readonly OfRecord[]): Required<Counts> {
  const count = (action: string) => changes.filter(({ change }) => change.action === action).length;
  return { create: count("create"), update: count("update"), destroy: count("destroy") };
}

type SeenRow = {
  table_name: string;
  old_text: Texts | null;
  new_text: Texts | null;
  statement: string;
  transaction_id: string | null;
  keys: string[];
};

type RecordedRow = {
  table: string;
  entity: string;
  action: Change["action"];
  transaction_id: string;
  id: Texts;
  data: Texts;
  previous: Texts;
};

interface SeenChange extends Omit<Change, "entity"> {
  readonly key: Texts;
  readonly image: Texts;
  readonly partOfKeyChange: boolean;
}

/**
 * Row triggers of one statement fire when it is done, and what they write fires theirs before: so changes of a record are put
 * into the order in which its rows follow one another, as far as rows tell; else they stay as they were noted.
 */
function inOrder(rows: readonly SeenRow[]): SeenRow[] {
  const left = [...rows];
  const ordered: SeenRow[] = [];
  const same = (a: Texts | null, b: Texts | null) => JSON.stringify(a) === JSON.stringify(b);
  while (left.length > 0) {
    const at = left.findIndex(
      (row) =>
        !left.some(
          (other) =>
            other !== row &&
            other.table_name === row.table_name &&
            other.transaction_id === row.transaction_id &&
            other.new_text !== null &&
            same(other.new_text, row.old_text) &&
            !same(row.new_text, other.old_text),
        ),
    );
    ordered.push(...left.splice(Math.max(at, 0), 1));
  }
  return ordered;
}

/** What is left of several changes of a record in one transaction: its row before the first and after the last. */
function netOf(rows: readonly SeenRow[]): SeenRow[] {
  const keyOf = (row: SeenRow) => keyText(pick(row.new_text ?? row.old_text ?? {}, row.keys));
  const groups = groupBy(rows, (row) => `${row.transaction_id} ${row.table_name} ${keyOf(row)}`);
  return [...groups.values()].flatMap((group) => {
    const [first, last] = [group[0], group.at(-1)] as [SeenRow, SeenRow];
    const net = { ...first, old_text: first.old_text, new_text: last.new_text };
    return net.old_text === null && net.new_text === null ? [] : [net];
  });
}

function changesOf({ old_text: before, new_text: after, keys, transaction_id: transactionId }: SeenRow): SeenChange[] {
  const keyOf = (row: Texts) => pick(row, keys);
  const create = (row: Texts) => ({ action: "create" as const, key: keyOf(row), image: row, data: row, previous: {} });
  const destroy = (row: Texts) => ({
    action: "destroy" as const,
    key: keyOf(row),
    image: row,
    data: {},
    previous: row,
  });
  if (before === null || after === null) {
    const change = after === null ? destroy(before ?? {}) : create(after);
    return [{ ...change, transactionId, partOfKeyChange: false }];
  }
  if (keyText(keyOf(before)) !== keyText(keyOf(after))) {
    return [destroy(before), create(after)].map((change) => ({ ...change, transactionId, partOfKeyChange: true }));
  }
  const changed = Object.keys(after).filter((column) => before[column] !== after[column]);
  if (changed.length === 0) return [];
  const [data, previous] = [pick(after, changed), pick(before, changed)];
  return [{ action: "update", key: keyOf(after), image: after, data, previous, transactionId, partOfKeyChange: false }];
}

/** A statement that moves keys on (1 to 2, 2 to 3) frees them all before it takes them: that order is what a fold can follow. */
function destroysFirst<T extends SeenChange & { statement: string }>(changes: readonly T[]): T[] {
  const byStatement = groupBy(changes, ({ statement }) => statement);
  return [...byStatement.values()].flatMap((statement) => {
    const first = (change: T) => change.partOfKeyChange && change.action === "destroy";
    return [...statement.filter(first), ...statement.filter((change) => !first(change))];
  });
}

export function byRecord(changes: readonly OfRecord[]): Record<string, Change[]> {
  const grouped = groupBy(changes, ({ record }) => record);
  return Object.fromEntries([...grouped].map(([record, list]) => [record, list.map(({ change }) => change)]));
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function pick(row: Texts, columns: readonly string[]): Texts {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}

function keyText(key: Texts): string {
  return JSON.stringify(Object.entries(key).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Under these, text is the same in the trigger and in the comparison, and loses nothing. */
const settings =
  "set search_path = pg_catalog set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1 set bytea_output = 'hex' set lc_monetary = 'C'";

const schema = `
create schema oracle;
grant usage on schema oracle to public;
create table oracle.change (
  serial bigserial primary key,
  table_name text not null,
  old_text jsonb,
  new_text jsonb,
  statement timestamptz not null default statement_timestamp(),
  transaction_id text
);

create function oracle.name_of(of text) returns text language sql as $$
  select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = of::regclass
$$;

-- SQL that gives the row $1 as { column: text }.
create function oracle.texts(of regclass) returns text language sql as $$
  select format('jsonb_object(%L::text[], array[%s]::text[])', array_agg(attname::text order by attnum), string_agg(format('($1).%I::text', attname), ', ' order by attnum))
  from pg_attribute where attrelid = of and attnum > 0 and not attisdropped
$$;

create function oracle.note() returns trigger language plpgsql security definer ${settings} as $$
declare
  texts text := oracle.texts(tg_argv[0]::regclass);
  old_text jsonb;
  new_text jsonb;
begin
  if tg_op <> 'INSERT' then execute 'select ' || texts into old_text using old; end if;
  if tg_op <> 'DELETE' then execute 'select ' || texts into new_text using new; end if;
  insert into oracle.change (table_name, old_text, new_text, transaction_id)
  values (tg_argv[0], old_text, new_text, pg_current_xact_id()::text);
  return null;
end $$;

create function oracle.note_truncate(relation regclass, of regclass) returns void language plpgsql ${settings} as $$
begin
  execute format('insert into oracle.change (table_name, old_text) select %L, %s from %s t', oracle.name_of(of::text), replace(oracle.texts(of), '($1)', 't'), relation);
end $$;

-- A jsonb array as PostgreSQL writes arrays.
create function oracle.array_literal(value jsonb) returns text language sql as $$
  select '{' || coalesce(string_agg(case jsonb_typeof(e.value)
    when 'null' then 'NULL'
    when 'array' then oracle.array_literal(e.value)
    else '"' || replace(replace(e.value #>> '{}', '\\', '\\\\'), '"', '\\"') || '"' end, ',' order by ordinal), '') || '}'
  from jsonb_array_elements(value) with ordinality as e (value, ordinal)
$$;

-- What the log stored, cast back to the columns' types, as text.
create function oracle.texts_of(named text, data jsonb) returns jsonb language plpgsql ${settings} as $$
declare
  result jsonb := '{}';
  stored record;
  type record;
  literal text;
begin
  for stored in select * from jsonb_each(data) loop
    select format_type(a.atttypid, -1) as name, t.typcategory as category into strict type
    from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = named::regclass and a.attname = stored.key;
    literal := case
      when jsonb_typeof(stored.value) = 'array' and type.category = 'A' then oracle.array_literal(stored.value)
      when jsonb_typeof(stored.value) in ('array', 'object') then stored.value::text
      else stored.value #>> '{}'
    end;
    execute format('select (%L::%s)::text', literal, type.name) into literal;
    result := result || jsonb_build_object(stored.key, literal);
  end loop;
  return result;
end $$;
`;
