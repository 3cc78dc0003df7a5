/** What the caller can put right at the command line: told as a sentence, exit code 2. */
export class UsageError extends Error {}
