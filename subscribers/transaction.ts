import { Notes } from "./notes.js";
import { endsTransaction, isOpenBehind, returnsToSavepoint, savepointsOf } from "./statement.js";

/** What is known of a connection's transaction, kept at the call of a statement, so that statements sent without waiting are right too. */
export class Transaction {
  open = false;
  /** The request context that was set for it; undefined where that is not known. */
  told: string | undefined = "";
  /** Whether the log's lock is held; going back to a savepoint may release it, so nothing is remembered over that. */
  locked = false;
  /** The tracked tables that were written in it, quoted. */
  readonly written = new Set<string>();
  readonly notes = new Notes();

  begin(text: string): void {
    if (this.open) this.told = undefined;
    else {
      this.written.clear();
      this.notes.clear();
    }
    this.open = isOpenBehind(text, this.open);
    this.locked = false;
  }

  follow(text: string): void {
    if (endsTransaction(text)) this.end(isOpenBehind(text, this.open));
    else if (this.open && returnsToSavepoint(text)) {
      this.told = undefined;
      this.locked = false;
    }
    if (this.open) for (const { command, name } of savepointsOf(text)) this.notes[command](name);
  }

  end(opened = false): void {
    this.open = opened;
    this.told = "";
    this.locked = false;
    this.written.clear();
    this.notes.clear();
  }
}
