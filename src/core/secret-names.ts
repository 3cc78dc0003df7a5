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

/** Whether a name is one that secrets have: of a column, a property, a header. */
export function looksSecret(name: string): boolean {
  const plain = plainName(name);
  if (parts.some((part) => plain.includes(part))) return true;
  return name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, "$1_$2")
    .split(/[^\p{L}\p{N}]+/u)
    .some((word) => words.has(word.toLowerCase()));
}
