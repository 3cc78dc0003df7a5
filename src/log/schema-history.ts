import { quoteLiteral } from "../core/sql.js";
import type { SchemaChange, SeenColumn, ShapeColumn } from "./table-shape.js";

/**
 * What becomes of one name in an event's data: another name, or none where the column is gone; and of an enum's labels.
 */
export interface Move {
  readonly from: string;
  readonly to: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Types whose values PostgreSQL writes otherwise as text than as JSON. */
const hasOwnForm = /\[\]$|^timestamp/;
/** Of these, those that are known by their oid alone: timestamp and timestamptz. */
const ownFormIds: ReadonlySet<number> = new Set([1114, 1184]);
const isText = /^(text|character|citext)/;

/** A column whose first values DDL gave row by row after a point in time. */
export interface FilledByRow {
  readonly name: string;
  readonly position: bigint;
  /**
   * Shapes, by hash, that capture saw before that change was found and in which the column did not have its type yet,
   * so that a value in them does not mean the same.
   */
  readonly shapesBefore: readonly string[];
}

/** A column whose type DDL changed after a point in time, rewriting its values. */
export interface Rewritten extends FilledByRow {
  /** The first such change; `position` is that of the last. */
  readonly since: bigint;
  readonly once: boolean;
  /**
   * Whether it became text from a type whose text is not what the log holds for it, so that not even a cast is known.
   */
  readonly losesForm: boolean;
  /**
   * Whether one of these changes also gave records other keys: what became of a value then stands in the events of a new
   * record, where nothing tells a cast from an expression.
   */
  readonly rekeyed: boolean;
}

type Column = SeenColumn | ShapeColumn;

/**
 * The shapes that a table had. An era is the time between two changes: era 0 ends with the first, the last is today's.
 * In each, events have the shape that the install before it left, or one that capture saw between an ALTER and the
 * install that ends the era.
 */
export class SchemaHistory {
  constructor(
    readonly changes: readonly SchemaChange[],
    /** By hash, as events carry it. */
    readonly seen: ReadonlyMap<string, readonly SeenColumn[]>,
    readonly now: readonly ShapeColumn[],
  ) {}

  eraOf(position: bigint): number {
    const index = this.changes.findIndex((change) => position < change.position);
    return index === -1 ? this.changes.length : index;
  }

  /** The columns under which install left the table when an era began. */
  installed(era: number): readonly ShapeColumn[] {
    return this.changes[era]?.before ?? this.now;
  }

  /** The columns of an event, each with its id; a column that came and went between two installs has none. */
  columnsOf(era: number, shape: string | null): readonly Column[] {
    const seen = shape === null ? undefined : this.seen.get(shape);
    if (seen === undefined) return this.installed(era);
    const before = this.installed(era);
    const after = this.changes[era]?.after ?? before;
    const byName = this.changes[era]?.remade ?? false;
    return seen.map((column) => {
      if (column.id !== undefined) return column;
      const same = ({ number, name }: ShapeColumn) =>
        byName ? number === column.number && name === column.name : number === column.number;
      // The event may be from before the table was made again, when another column had the name: if that was hidden, so
      // is this value.
      const wasHidden = before.some(({ number, hidden }) => number === column.number && hidden);
      const named = ({ name, typeId, hidden }: ShapeColumn) =>
        byName && name === column.name && typeId === column.typeId && (hidden || !wasHidden);
      return { ...column, id: (before.find(same) ?? after.find(same) ?? after.find(named))?.id };
    });
  }

  /**
   * What brings data that has these columns in one era to the shape that install left when a later one began. Leaves
   * out what stays.
   */
  moves(era: number, columns: readonly Column[], to: number = this.changes.length): Move[] {
    const wanted = this.installed(to);
    return columns.flatMap((column): Move[] => {
      const name = wanted.find(({ id }) => id === column.id)?.name;
      const labels = name === undefined ? {} : this.#labels(era, column, to);
      return name === column.name && Object.keys(labels).length === 0 ? [] : [{ from: column.name, to: name, labels }];
    });
  }

  /**
   * What an enum's labels are called later, as far as they were renamed. One that was removed, and whose name another
   * label was given since, is called something that no label is; one that was only added again is the same. Labels that
   * were renamed and renamed back between two installs have other names in the events between.
   */
  #labels(era: number, column: Column, to: number): Record<string, string> {
    // A transaction that is older than the type did not see its labels: the next install did.
    const isSame = ({ id, typeId }: ShapeColumn) => id === column.id && typeId === column.typeId;
    let labels = column.labels ?? this.installed(era + 1).find(isSame)?.labels ?? null;
    const now = new Map(Object.values(labels ?? {}).map((label) => [label, label]));
    const removed = new Set<string>();
    const given = new Set<string>();
    for (let at = era; at < Math.max(to, era + 1) && now.size > 0; at++) {
      const next = this.installed(Math.min(at + 1, to)).find(({ id }) => id === column.id)?.labels ?? null;
      const renamed = new Map(
        Object.entries(labels ?? {}).flatMap(([oid, label]) => {
          const today = next?.[oid];
          return today === undefined ? [] : [[label, today] as const];
        }),
      );
      for (const [label, today] of renamed) if (label !== today) given.add(today);
      const left = next === null || at === to ? undefined : new Set(Object.values(next));
      for (const [first, last] of now) {
        if (removed.has(first)) continue;
        const today = renamed.get(last) ?? last;
        if (left !== undefined && !left.has(today)) removed.add(first);
        now.set(first, today);
      }
      labels = next;
    }
    for (const first of removed) if (given.has(now.get(first) ?? "")) now.set(first, `${first} (removed)`);
    return Object.fromEntries([...now].filter(([first, last]) => first !== last));
  }

  /**
   * SQL over `d.data`, the data of an event `e`: the same in today's shape; null if all of it stands so already.
   * `schema` is quoted.
   */
  todaySql(schema: string): string | null {
    const eras = [...this.changes.keys(), this.changes.length].map((era) => ({
      before: this.changes[era]?.position,
      sql: this.#eraSql(schema, era),
    }));
    if (eras.every(({ sql }) => sql === data)) return null;
    const last = eras.pop()?.sql ?? data;
    if (eras.length === 0) return last;
    const earlier = eras.map(({ before, sql }) => `when e.position < ${before} then ${sql}`).join(" ");
    return `case ${earlier} else ${last} end`;
  }

  #eraSql(schema: string, era: number): string {
    const plain = movedSql(schema, this.moves(era, this.installed(era)));
    const seen = [...this.seen.keys()].map((hash) => ({
      hash,
      sql: movedSql(schema, this.moves(era, this.columnsOf(era, hash))),
    }));
    if (seen.every(({ sql }) => sql === plain)) return plain;
    const cases = seen.map(({ hash, sql }) => `when ${hash} then ${sql}`).join(" ");
    return `case when e.shape is null then ${plain} else case e.shape ${cases} else ${data} end end`;
  }

  /**
   * What columns hold in every record whose events do not have them, by today's names: JSON, undefined if there are
   * none.
   */
  fills(): string | undefined {
    const fills = new Map<string, string>();
    for (const [index, change] of this.changes.entries()) {
      for (const [id, value] of Object.entries(change.fills)) {
        const column = change.after.find((candidate) => candidate.id === Number(id));
        const now = this.now.find((candidate) => candidate.id === Number(id));
        if (column === undefined || now === undefined) continue;
        const labels = this.#labels(index + 1, column, this.changes.length);
        // As text, or numbers would lose digits.
        fills.set(
          now.name,
          Object.keys(labels).length === 0 ? value : JSON.stringify(relabelled(JSON.parse(value), labels)),
        );
      }
    }
    if (fills.size === 0) return undefined;
    return `{${[...fills].map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(", ")}}`;
  }

  /** The columns of today whose first values are in migration events after a position. */
  filledByRow(after: bigint): FilledByRow[] {
    return this.now.flatMap(({ id, name }) => {
      const change = this.changes.find(({ position, filledByRow }) => position > after && filledByRow.includes(id));
      if (change === undefined) return [];
      const isTextNow = isText.test(change.after.find((column) => column.id === id)?.type ?? "");
      const installed = this.#installedTypes(id);
      const shapesBefore = isTextNow ? this.#shapesWith(id, (typeId) => !installed.has(typeId)) : [];
      return [{ name, position: change.position, shapesBefore }];
    });
  }

  /**
   * The columns of today whose type DDL changed after a position, rewriting their values. One whose values alone were
   * rewritten shows at a point before that what it held then, as after any update.
   */
  rewritten(after: bigint, children: readonly string[]): Rewritten[] {
    // If a version is raised by this install or a later one, handlers say what every older value becomes.
    const raised = this.changes.findLastIndex(({ versions }) => raisesAll(versions, children));
    const later = this.changes.filter(({ position }, index) => position > after && index >= raised + 1);
    return this.now.flatMap(({ id, name }): Rewritten[] => {
      const installed = this.#installedTypes(id);
      const by = later.filter(
        (change) =>
          change.rewritten.includes(id) ||
          // Added and retyped between the same two installs.
          (!change.before.some((column) => column.id === id) &&
            change.after.some((column) => column.id === id) &&
            this.#shapesWith(id, (typeId) => !installed.has(typeId)).length > 0),
      );
      const [first, last] = [by[0], by.at(-1)];
      if (first === undefined || last === undefined) return [];
      const types = [...first.before, ...by.flatMap((change) => change.after)].filter((column) => column.id === id);
      const typeId = types.at(-1)?.typeId;
      const shapesBefore = this.#shapesWith(id, (other) => other !== typeId);
      const isRetyped = shapesBefore.length > 0 || new Set(types.map((of) => `${of.typeId} ${of.type}`)).size > 1;
      const hadOwnForm =
        types.some(({ type }) => hasOwnForm.test(type)) ||
        this.#shapesWith(id, (seen) => ownFormIds.has(seen)).length > 0;
      const losesForm = hadOwnForm && isText.test(types.at(-1)?.type ?? "");
      if (!isRetyped) return [];
      const [once, rekeyed] = [by.length === 1, by.some((change) => change.rekeyed)];
      return [{ name, position: last.position, since: first.position, shapesBefore, once, losesForm, rekeyed }];
    });
  }

  /** The types that installs found a column to have. */
  #installedTypes(id: number): Set<number> {
    const shapes = [...this.changes.flatMap(({ before, after }) => [...before, ...after]), ...this.now];
    return new Set(shapes.filter((column) => column.id === id).map(({ typeId }) => typeId));
  }

  /** Shapes, by hash, that capture saw and in which a column had such a type. */
  #shapesWith(id: number, isWanted: (typeId: number) => boolean): string[] {
    const eras = [...this.changes.keys(), this.changes.length];
    return [...this.seen.keys()].filter((hash) =>
      eras.some((era) => this.columnsOf(era, hash).some((column) => column.id === id && isWanted(column.typeId))),
    );
  }

  /** Every name that a column had in an era, by shape. Null stands for the shape that install left. */
  namesOf(id: number, era: number): { readonly shape: string | null; readonly name: string }[] {
    return [null, ...this.seen.keys()].flatMap((shape) => {
      const name = this.columnsOf(era, shape).find((column) => column.id === id)?.name;
      return name === undefined ? [] : [{ shape, name }];
    });
  }
}

/** Whether an install raised the version of every event that holds values: of all creates and updates of a table. */
function raisesAll(versions: SchemaChange["versions"], children: readonly string[]): boolean {
  return ["", ...children].every(
    (child) => versions[child]?.create !== undefined && versions[child].update !== undefined,
  );
}

/** The data of an event `e`, as it is stored. */
const data = "d.data";

/** SQL over `d.data` that makes some moves at once: so two columns can swap their names. */
function movedSql(schema: string, moves: readonly Move[]): string {
  if (moves.length === 0) return data;
  const names = moves.map(({ from }) => quoteLiteral(from)).join(", ");
  const added = moves.flatMap(({ from, to, labels }) => {
    if (to === undefined) return [];
    const name = quoteLiteral(from);
    const value = `${data} -> ${name}`;
    const renamed = Object.keys(labels).length > 0;
    const today = renamed ? `${schema}.relabelled(${value}, ${quoteLiteral(JSON.stringify(labels))}::jsonb)` : value;
    return [` || case when ${data} ? ${name} then jsonb_build_object(${quoteLiteral(to)}, ${today}) else '{}' end`];
  });
  return `(${data} - array[${names}]::text[]${added.join("")})`;
}

/** The same in JavaScript, for data that a handler is given or has made. */
export function moved(row: Readonly<Record<string, unknown>>, moves: readonly Move[]): Record<string, unknown> {
  const rest = Object.entries(row).filter(([name]) => !moves.some(({ from }) => from === name));
  const changed = moves.flatMap(({ from, to, labels }) =>
    to === undefined || !Object.hasOwn(row, from) ? [] : [[to, relabelled(row[from], labels)] as const],
  );
  return Object.fromEntries([...rest, ...changed]);
}

function relabelled(value: unknown, labels: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((element) => relabelled(element, labels));
  return typeof value === "string" && Object.hasOwn(labels, value) ? labels[value] : value;
}
