import pg from "pg";

interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * Statements without parameters, one of which is COPY … FROM STDIN of one column of text. Unlike parameters, what is
 * copied never comes into a server's log.
 */
export class CopyIn extends pg.Query {
  readonly #texts: readonly string[];

  constructor(statements: string, texts: readonly string[], done: (error: Error | null) => void) {
    super(statements, undefined, done as never);
    this.#texts = texts;
  }

  handleCopyInResponse(connection: CopyConnection): void {
    const lines = this.#texts.map((text) => `${text.replaceAll(/[\\\n\r\t]/g, (sign) => escapes[sign] ?? sign)}\n`);
    connection.sendCopyFromChunk(Buffer.from(lines.join("")));
    connection.endCopyFrom();
  }
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
