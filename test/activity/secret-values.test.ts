import { expect } from "chai";
import { Redactor } from "../../src/activity/redact.js";
import { withoutSecrets } from "../../src/activity/secret-values.js";
import { SensitiveNames } from "../../src/activity/sensitive-names.js";

const names = new SensitiveNames([]);
const clean = (text: string) => new Redactor({ names, mode: "omit", secret: undefined }).text(text);

/** Made here, so that no tool takes this file for one that holds secrets. */
const jwt = [{ alg: "HS256" }, { sub: "ada" }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
  .join(".");
const pem = (kind: string, end = true) =>
  `-----BEGIN ${kind}-----\nMIIhunter2\nhunter2\n${end ? `-----END ${kind}-----` : ""}`;
const basic = Buffer.from("ada:hunter2").toString("base64");

/** A text with secrets, and what must be left of it. Whatever is secret contains "hunter2", unless it is spelled otherwise. */
const secretTexts: readonly (readonly [text: string, kept: string])[] = [
  ["connect postgres://user:hunter2@db.example/app failed", "connect postgres://[masked]@db.example/app failed"],
  ["postgresql://user:hun/ter2?#hunter2@db/app", "postgresql://[masked]@db/app"],
  ["redis://:hunter2@cache:6379/0", "redis://[masked]@cache:6379/0"],
  ["MONGODB+SRV://u:hunter2@c", "MONGODB+SRV://[masked]@c"],
  ["https://hunter2@github.com/a.git", "https://[masked]@github.com/a.git"],
  ["https://u:hunter2@h/p?q=1 and amqps://u:hunter2@h", "https://[masked]@h/p?q=1 and amqps://[masked]@h"],
  ["https://user:hunter2/x@example.org/p", "https://[masked]@example.org/p"],
  ["https://u:hunter2@h/p@q", "https://[masked]@q"],
  ["GET /a?token=hunter2&page=2", "GET /a?token=[masked]&page=2"],
  ["/a?page=2&access_token=hunter2#x", "/a?page=2&access_token=[masked]"],
  ["/a?pass%77ord=hunter2&b=1", "/a?pass%77ord=[masked]&b=1"],
  ["user[password]=hunter2&a=b", "user[password]=[masked]&a=b"],
  ["user%5Bpassword%5D=hunter2&a=b", "user%5Bpassword%5D=[masked]&a=b"],
  ["host=db password='hunter2 and more' dbname=x", "host=db password='[masked]' dbname=x"],
  ["Server=db;Password=hunter2;Database=x", "Server=db;Password=[masked];Database=x"],
  ['{"password":"hun\\"ter2 hunter2","name":"Ada"}', '{"password":"[masked]","name":"Ada"}'],
  ['{\\"apiKey\\":\\"hunter2\\",\\"name\\":1}', '{\\"apiKey\\":\\"[masked]\\",\\"name\\":1}'],
  ["{ secret: 'hunter2', name: 'Ada' }", "{ secret: '[masked]', name: 'Ada' }"],
  ["Authorization: Bearer hunter2hunter2", "Authorization: [masked]"],
  ["sent bearer hunter2 twice", "sent bearer [masked] twice"],
  ["Bearer abcdefghijklmnopqrstuvwxyz", "Bearer [masked]"],
  [`tried Basic ${basic}`, "tried Basic [masked]"],
  ["Cookie: a=hunter2; b=hunter2\naccept: */*", "Cookie: [masked]\naccept: */*"],
  ["set-cookie: id=hunter2", "set-cookie: [masked]"],
  [`invalid ${jwt}.c2ln given`, "invalid [masked] given"],
  [`/confirm/${jwt}./x`, "/confirm/[masked]/x"],
  [`key: ${pem("RSA PRIVATE KEY")} end`, "key: [masked] end"],
  [pem("PRIVATE KEY"), "[masked]"],
  [pem("ENCRYPTED PRIVATE KEY", false), "[masked]"],
  [pem("OPENSSH PRIVATE KEY"), "[masked]"],
  [pem("PGP PRIVATE KEY BLOCK"), "[masked]"],
  [`used AKIA${"IOSFODNN7EXAMPLE"}.`, "used [masked]."],
  [`ASIA${"IOSFODNN7EXAMPLE"}`, "[masked]"],
  [`remote: ghp_${"a1".repeat(18)} x`, "remote: [masked] x"],
  [`sk_live_${"a1".repeat(12)}`, "[masked]"],
  ["detail: Key (email)=(hunter2@y.z) already exists.", "detail: Key (email)=([masked]) already exists."],
  ['Key (a, b)=(1, hunter2) (x)) is not present in table "t".', 'Key (a, b)=([masked]) is not present in table "t".'],
  ["Schlüssel »(email)=(hunter2@y.z)« existiert bereits.", "Schlüssel »(email)=([masked]"],
  ["Failing row contains (1, hunter2\n, null).", "Failing row contains ([masked])."],
  ['invalid input syntax for type integer: "hunter2"', 'invalid input syntax for type integer: "[masked]"'],
  ['invalid input value for enum mood: "hunter2"', 'invalid input value for enum mood: "[masked]"'],
  ['malformed array literal: "{hunter2"', 'malformed array literal: "[masked]"'],
  ['date/time field value out of range: "hunter2"', 'date/time field value out of range: "[masked]"'],
  ['value "hunter2" is out of range for type integer', 'value "[masked]" is out of range for type integer'],
];

/** What looks a little like a secret and is none. */
const harmless = [
  "https://example.org:8080/users/ada@example.org?page=2",
  "https://example.org/@ada",
  "http://[2001:db8::1]:80/a@b",
  "mailto ada@example.org",
  "Basic authentication failed",
  "bearer token is missing",
  "Key (email) already exists",
  "a=1&b=2; page: 3",
  'relation "accounts" does not exist: "x"',
  'duplicate key value violates unique constraint "accounts_email"',
  "AKIA is a prefix, eyJ too",
  "the secret of eternal youth",
];

describe("secrets by value", () => {
  for (const [text, kept] of secretTexts)
    it(`are left out of ${JSON.stringify(text.slice(0, 60))}`, () => {
      expect(clean(text)).to.equal(kept);
      expect(clean(clean(text)), "cleaned again").to.equal(kept);
    });

  for (const text of harmless) it(`are not seen in ${JSON.stringify(text)}`, () => expect(clean(text)).to.equal(text));

  it("are found where a text is cut, and never kept by half", () => {
    for (let before = 8_150; before < 8_200; before++) {
      const kept = clean(`${" ".repeat(before)}postgres://user:hunter2hunter2hunter2@db/app`);
      expect(kept).not.to.include("hunter");
    }
    // What is left out makes room; what comes into it was searched too, or is not kept.
    expect(
      clean(`${pem("PRIVATE KEY").replace("hunter2", "x".repeat(8_000))} ${"password=hunter2 ".repeat(2_000)}`),
    ).not.to.include("hunter2");
  });

  const attacks = [
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ",
    "a://",
    "a://b",
    "a://:@",
    "a.b+c-",
    "eyJ-",
    "eyJaaaaa.",
    "bearer ",
    "basic a",
    "authorization:",
    "cookie='",
    "password=",
    'password="',
    "password='\\",
    '\\"',
    "a=",
    "a.",
    "%",
    ")=(",
    "(a)=(b",
    "Failing row contains (",
    "invalid input syntax for ",
    'malformed"',
    'value "',
    "out of range: ",
    "sk-",
    "AKIAA",
    " ",
    "=",
    ":",
    "'",
    '"',
  ];
  for (const attack of attacks)
    it(`are looked for in time that grows with the text: ${JSON.stringify(attack)} over and over`, () => {
      const time = (length: number) => {
        const text = attack.repeat(Math.ceil(length / attack.length));
        const started = performance.now();
        withoutSecrets(text, (name) => names.has(name));
        return performance.now() - started;
      };
      time(1_000);
      // Some 200 times what is ever searched at once; a quadratic search takes minutes.
      expect(time(200_000)).to.be.below(2_000);
    });
});
