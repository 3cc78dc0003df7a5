import { raw, sql, type Statement } from "../core/sql.js";

/** The most rows that one query brings, and the most bytes that they may have as text; one row at least. */
const pageRows = 1_000;
const pageBytes = 16_777_216;
/** The most bytes that a row may have as text to be given whole: half of what one string can hold. */
export const mostReadableBytes = 134_217_728;

/** A row of the log or of the activity log, measured. */
interface Measured {
  /** Table and alias, with what is joined to it. */
  readonly source: Statement;
  /** The column by which a row is found, with its alias. */
  readonly key: string;
  /** SQL for JSON objects and for texts. */
  readonly objects: readonly string[];
  readonly texts: readonly string[];
}

/**
 * SQL for a page of rows as `p`: of the rows whose keys a query gives, in its order, the first that have no more than
 * 16 MB as text together. `p.ordinal` is their order, `p.fits` whether a row can be given whole, `p.found` how many keys
 * the query gave. Nothing that is too large is ever made text.
 */
export function pageOf(schema: string, keys: Statement, { source, key, objects, texts }: Measured): Statement {
  const sizes = [
    ...objects.map((object) => sizeOf(schema, object)),
    ...texts.map((text) => `coalesce(octet_length(${text}), 0)::bigint`),
  ];
  return sql`(
    select s.key, s.ordinal, s.found, s.fits,
      sum(s.bytes) over (order by s.ordinal) - s.bytes < ${raw(String(pageBytes))} as belongs
    from (
      select r.key, r.ordinal, count(*) over () as found, coalesce(r.bytes <= ${raw(String(mostReadableBytes))}, false) as fits,
        case when r.bytes <= ${raw(String(mostReadableBytes))} then r.bytes else 0 end as bytes
      from (
        select k.key, k.ordinal, ${raw(sizes.join(" + "))} as bytes
        from unnest(array(${keys})) with ordinality as k (key, ordinal)
        join ${source} on ${raw(key)} = k.key
        offset 0
      ) r
    ) s
  ) p`;
}

/** Most objects are small and stored as they are: they are measured without a call. */
function sizeOf(schema: string, object: string): string {
  return `case
    when ${object} is null then 0
    when pg_column_size(${object}) < 2000 and pg_column_compression(${object}) is null then octet_length(${object}::text)
    else ${schema}.text_size(${object}, ${mostReadableBytes})
  end`;
}

/** How many rows to ask for: each is measured, so not many more than the last page could hold. */
export class PageLength {
  #length = 20;

  /** (`most`: no more than these) */
  next(most = Number.POSITIVE_INFINITY): number {
    return Math.min(this.#length, most);
  }

  /** Learns how many rows a page had of those that were found for it; whether there may be more. */
  learn(asked: number, found: number, given: number): boolean {
    this.#length = Math.min(pageRows, given < found ? given * 2 : this.#length * 5);
    return given < found || found === asked;
  }
}
