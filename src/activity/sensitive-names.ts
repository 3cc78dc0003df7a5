import type { DataSource } from "typeorm";
import { sensitiveColumns } from "../log/sensitive-columns.js";

/** Found anywhere in a name: `new_password`, `csrfTokenOld`, `X-Api-Key`. */
const parts = [
  "password",
  "passwd",
  "passphrase",
  "passcode",
  "secret",
  "token",
  "authorization",
  "cookie",
  "apikey",
  "accesskey",
  "privatekey",
  "signingkey",
  "encryptionkey",
  "credential",
  "cardnumber",
  "creditcard",
  "securitycode",
  "bearer",
  "sessionid",
  "sessionkey",
  "signature",
  "connectionstring",
  "connectionuri",
  "connectionurl",
  "databaseurl",
  "recoverycode",
  "recoverykey",
  "recoveryphrase",
  "backupcode",
  "scratchcode",
  "seedphrase",
  "mnemonic",
  "totp",
  "socialsecurity",
  "accountnumber",
];
/** Too short to be looked for inside of words: they count as words of their own, as in `user_pin`, `cardCvc` or `adminSession`. */
const words = new Set([
  "pwd",
  "pass",
  "pin",
  "otp",
  "cvv",
  "cvc",
  "cvv2",
  "ssn",
  "pan",
  "jwt",
  "iban",
  "auth",
  "hash",
  "salt",
  "session",
  "sessions",
  "sess",
  "sid",
  "sig",
  "hmac",
  "dsn",
]);

/** A name as it is compared: without case, blanks and punctuation. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
}

function looksSensitive(name: string): boolean {
  const plain = plainName(name);
  if (parts.some((part) => plain.includes(part))) return true;
  return name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, "$1_$2")
    .split(/[^\p{L}\p{N}]+/u)
    .some((word) => words.has(word.toLowerCase()));
}

/** Answers for the names of one DataSource: by how they look, and by its entities' `@Sensitive` columns and `select: false`. */
export class SensitiveNames {
  readonly #included: ReadonlySet<string>;
  readonly #answers = new Map<string, boolean>();
  #columns: ReadonlySet<string> = new Set();

  constructor(includeFields: readonly string[]) {
    this.#included = new Set(includeFields.map(plainName));
  }

  /** Learns the sensitive columns, by property and by column name. */
  learn(dataSource: DataSource): void {
    const names = dataSource.entityMetadatas.flatMap(({ columns }) => {
      const sensitive = sensitiveColumns(columns);
      return columns
        .filter(({ databaseName }) => sensitive.has(databaseName))
        .flatMap(({ propertyName, databaseName }) => [plainName(propertyName), plainName(databaseName)]);
    });
    this.#columns = new Set(names);
    this.#answers.clear();
  }

  /** Whether the values under this name are kept out. */
  has(name: string): boolean {
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    const answer = !this.#included.has(plainName(name)) && this.isSensitive(name);
    if (this.#answers.size < 10_000) this.#answers.set(name, answer);
    return answer;
  }

  /** The same, whether it was let in or not. */
  isSensitive(name: string): boolean {
    return this.#columns.has(plainName(name)) || looksSensitive(name);
  }
}
