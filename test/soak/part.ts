/** Something that is done very often, and must come out the same way each time. */
export interface Part {
  /** How often, in the full counts. */
  readonly full: number;
  /** How often in one round of a run that goes on until it is stopped; enough for what the part says of itself to show. */
  readonly round: number;
  /** What it came to, by name. Throws at the first divergence. */
  run(times: number, how: PartOptions): Promise<Readonly<Record<string, number>>>;
}

export interface PartOptions {
  readonly seed: number;
  readonly onProgress: (done: number) => void;
}

/** Throws an error that names all that was found; for a part whose work counts what went wrong. */
export function expectNone(failures: readonly string[]): void {
  if (failures.length > 0) throw new Error(`${failures.length} failures:\n${failures.slice(0, 10).join("\n")}`);
}

export function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
