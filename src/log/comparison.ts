/** How far recording what differs has come, told after each batch. */
export interface RecordingProgress {
  readonly entity: string;
  /** Records of the entity that differ from the log and were gone through. */
  readonly done: number;
  /** Records of the entity that were found to differ. */
  readonly total: number;
  /** Events recorded. */
  readonly events: number;
}

/** A column of the key that a table had before. */
export interface FormerKeyColumn {
  readonly name: string;
  /** What labels of today's were called before. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What is left to compare with the log, row by row, after a schema change: `tracked.unfinished`, as install writes it. */
export interface Comparison {
  /** Every column, rows that the log does not know, and records that the table does not have. */
  readonly whole: boolean;
  /** Of the rows that the log knows, these columns. */
  readonly columns: readonly string[];
  /** Those of them that were added: what a record has there already, by a handler or a later event, is not compared. */
  readonly added: readonly string[];
  /** Partitions that came, by oid: the log may not know what rows they have, or had. */
  readonly partitions: readonly string[];
  /** Whether records have other keys. */
  readonly rekeyed: boolean;
  /**
   * The key before, by today's names, if it was another and all of its columns are there with the values that they had.
   */
  readonly formerKey: readonly FormerKeyColumn[] | null;
}
