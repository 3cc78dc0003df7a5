const mask = "[masked]";

/** Keys and tokens that are known by how they begin: JWT, AWS, GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI. */
const tokens = new RegExp(
  [
    /(?<![\w-])eyJ[\w-]{5,}(?:\.[\w-]*){1,4}/,
    /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}/,
    /(?<!\w)(?:gh[opsur]_|github_pat_|glpat-|xox[a-z]-|[rs]k_(?:live|test)_|AIza|npm_|sk-)[\w-]{16,}/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);
/** To its end, or to that of the text. */
const privateKeys = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,60}-----|$)/g;
const addresses = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}):\/\/([^\s"<>`]{1,4096})/gi;
const credentials = /\b(bearer|basic)(\s{1,4})([\w.~+/=:-]+)/gi;
/** As they stand in a dump of headers: to the end of the line or of the quotes. */
const headers = /(?<![\w-])((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s{0,3}[:=]\s{0,3}["']?)([^\r\n"']+)/gi;
/** name=value of a query string or a connection string, and "name": "value". */
const named = new RegExp(
  [
    /(?<![\w.%-])([\w.%-]{1,256})/,
    /(\]?\\?["']?\s{0,3}=\s{0,3}|\\?["']\s{0,3}:\s{0,3}|\s{0,3}:\s{0,3}(?=["']))/,
    /(\\"(?:[^"\\]|\\[^"])*|"(?:[^"\\]|\\[^])*|'(?:[^'\\]|\\[^])*|[^\s&;"']+)/,
  ]
    .map(({ source }) => source)
    .join(""),
  "g",
);

/** What PostgreSQL quotes of rows and of what it was given, in English; of other languages see `withoutQuotes`. */
const quotedKeys =
  /(\)=\()[\s\S]*?(\) (?:already exists|is not present|is still referenced|is duplicated|conflicts with)|\)?$)/g;
const quotedRows = /(Failing row contains \()[\s\S]*?(\)\.(?:\n|$)|$)/g;
const quotedInput =
  /((?:invalid input (?:syntax|value) for|malformed|out of range|unrecognized)[^":\n]{0,200}(?:"[^"\n]{0,200}")?: ")[^"]*|(\bvalue ")[^"]*(?=" is out of range)/g;

/**
 * A text without what looks like a secret, whatever name it stands under: each is replaced by "[masked]". `isSensitive` judges the
 * names in query strings and the like. Takes time in proportion to the text.
 */
export function withoutSecrets(text: string, isSensitive: (name: string) => boolean): string {
  let clean = text;
  if (clean.includes("-----BEGIN ")) clean = clean.replace(privateKeys, mask);
  if (clean.includes("://")) clean = clean.replace(addresses, withoutCredentials);
  clean = clean.replace(tokens, mask).replace(credentials, withoutToken);
  if (/[:=]/.test(clean))
    clean = clean.replace(headers, `$1$2${mask}`).replace(named, (whole, name: string, sign: string, value: string) => {
      const quote = /^\\?["']/.exec(value)?.[0] ?? "";
      return isSensitive(decoded(name)) ? `${name}${sign}${quote}${mask}` : whole;
    });
  if (clean.includes(")=(")) clean = clean.replace(quotedKeys, `$1${mask}$2`);
  if (clean.includes("Failing row")) clean = clean.replace(quotedRows, `$1${mask}$2`);
  return clean.replace(quotedInput, (_, input: string | undefined, value: string) => `${input ?? value}${mask}`);
}

/** A database's message about a value that it refuses (SQLSTATE class 22), in any language: the first quote is where the value begins. */
export function withoutQuotes(message: string): string {
  const at = message.search(/: |["'»«„“”‘’]/);
  return at < 0 ? message : `${message.slice(0, at)}${message[at] === ":" ? ": " : ""}${mask}`;
}

/** Of scheme://user:password@host, all that stands before the host. */
function withoutCredentials(whole: string, scheme: string, rest: string): string {
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  // A password may hold what should have been escaped. What cannot be a port before it is one.
  const isCut = !/^(?:\[[^\]]*\]|[^:@]*)(?::\d*)?$/.test(authority) || !/^(?:https?|wss?|file)$/i.test(scheme);
  const at = (isCut ? rest : authority).lastIndexOf("@");
  return at < 0 ? whole : `${scheme}://${mask}${rest.slice(at)}`;
}

function withoutToken(whole: string, scheme: string, space: string, token: string): string {
  const isSecret =
    scheme.toLowerCase() === "basic"
      ? /^[\x20-\x7e]*:/.test(Buffer.from(token, "base64").toString("latin1"))
      : token.length >= 20 || /[^a-z:.,-]/i.test(token);
  return isSecret ? `${scheme}${space}${mask}` : whole;
}

function decoded(name: string): string {
  if (!name.includes("%")) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
