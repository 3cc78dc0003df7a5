/** A statement with its parameters, ready for pg. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

const RAW = Symbol("raw sql");

/** A piece of SQL that goes into a statement as it stands. */
export interface RawSql {
  readonly [RAW]: string;
}

/** SQL made by the library itself: never from a caller's value. */
export function raw(text: string): RawSql {
  return { [RAW]: text };
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return value.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

function isRaw(value: unknown): value is RawSql {
  return typeof value === "object" && value !== null && RAW in value;
}

function isStatement(value: unknown): value is Statement {
  return typeof value === "object" && value !== null && "text" in value && "values" in value;
}

/** A parameter's number; names and literals, which may hold what looks like one, are passed over. */
const parameter = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\$(\d+)/g;

/** A statement from a template: raw pieces and nested statements are spliced in, every other value becomes a parameter. */
export function sql(strings: TemplateStringsArray, ...pieces: readonly unknown[]): Statement {
  let text = strings[0] ?? "";
  const values: unknown[] = [];
  for (const [index, piece] of pieces.entries()) {
    if (isRaw(piece)) text += piece[RAW];
    else if (isStatement(piece)) {
      const offset = values.length;
      text += piece.text.replaceAll(parameter, (all, number?: string) =>
        number === undefined ? all : `$${Number(number) + offset}`,
      );
      values.push(...piece.values);
    } else {
      values.push(piece);
      text += `$${values.length}`;
    }
    text += strings[index + 1] ?? "";
  }
  return { text, values };
}

/** Statements joined by a separator, such as conditions by ` and `. */
export function join(statements: readonly Statement[], separator: string): Statement {
  return statements.reduce((all, next, index) => (index === 0 ? next : sql`${all}${raw(separator)}${next}`), {
    text: "",
    values: [],
  } as Statement);
}
