/** Messages of a client, by their first byte (PostgreSQL: Frontend/Backend Protocol, Message Formats). */
const names: Readonly<Record<string, string>> = {
  B: "Bind",
  C: "Close",
  D: "Describe",
  E: "Execute",
  H: "Flush",
  P: "Parse",
  Q: "Query",
  S: "Sync",
  X: "Terminate",
  c: "CopyDone",
  d: "CopyData",
  f: "CopyFail",
  p: "Password",
};

/** Finds the messages in a client's byte stream, wherever its chunks end, and tells their names. */
export class FrontendReader {
  #rest: Buffer = Buffer.alloc(0);
  #started = false;

  constructor(private readonly onMessage: (name: string, message: Buffer) => void) {}

  read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      // The first message of a connection has no letter in front.
      const lengthAt = this.#started ? 1 : 0;
      if (this.#rest.length < lengthAt + 4) return;
      const end = lengthAt + this.#rest.readInt32BE(lengthAt);
      if (this.#rest.length < end) return;
      const letter = String.fromCharCode(this.#rest[0] ?? 0);
      const name = this.#started ? (names[letter] ?? letter) : "Startup";
      const message = this.#rest.subarray(0, end);
      this.#started = true;
      this.#rest = this.#rest.subarray(end);
      this.onMessage(name, message);
    }
  }
}
