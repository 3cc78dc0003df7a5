import { createHmac } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import type { DataSource } from "typeorm";
import { eventLog, withEventLog, withRequestContext } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { Account } from "./entities.js";
import { Guarded } from "./roles.js";
import { encodedActor, WriteDesk, writeForms } from "./write-forms.js";

const key = { id: "k1", secret: "correct horse battery staple, and more" };
const ada = { actor: { type: "user", id: "Ada" } };
const told = "concat_ws(' by ', coalesce(actor_id, 'nobody'), signed_by)";

/** A signature as nothing of the library makes it. */
function signedBy(
  { id, secret }: typeof key,
  { encoded = encodedActor("Ada"), ageSeconds = 0, pid = "" as string | number },
): string {
  const text = `${encoded}.${id}.${Date.now() - ageSeconds * 1000}.${pid}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("hex")}`;
}

for (const pooler of [false, true])
  describe(`a signed context${pooler ? ", for any connection" : ""}`, function () {
    this.timeout(60_000);
    let desk: WriteDesk;
    before(async () => (desk = await WriteDesk.start({ context: { key, requireSigned: true, pooler } })));
    after(() => desk?.application.stop());

    const contexts = {
      "a context": [ada, "Ada by k1"],
      "a large context": [{ ...ada, metadata: { long: "x".repeat(3_000) } }, "Ada by k1"],
      "no context": [undefined, "nobody by k1"],
    } as const;
    for (const inTransaction of [false, true])
      for (const [size, [context, expected]] of Object.entries(contexts))
        for (const [name, form] of Object.entries(writeForms))
          it(`goes with ${name}${inTransaction ? " in a transaction" : ""}, with ${size}`, async () => {
            const write = () => desk.write(form, { inTransaction, of: told });
            expect(await (context === undefined ? write() : withRequestContext(context, write))).to.deep.equal([
              expected,
            ]);
          });
  });

for (const capture of ["trigger", "subscriber"] as const)
  describe(`signed contexts, under ${capture} capture`, function () {
    this.timeout(60_000);
    let guarded: Guarded;
    let application: DataSource;
    let pid: number;
    before(async () => {
      guarded = await Guarded.start({ capture, context: { key } });
      application = await guarded.open("application", { capture, context: { key } });
    });
    after(() => guarded?.stop());

    const lastEvent = async () => {
      const [event] = await guarded.application.query<{ told: string; why: string | null }>(
        `select ${told} as told, metadata ->> 'chronicle' as why from chronicle.event order by position desc limit 1`,
      );
      return event;
    };

    /** Somebody else's write with what was sent, on a connection of the application's role. */
    async function writeWith(sent: (pid: number) => string): Promise<{ told: string; why: string | null } | undefined> {
      const client = await guarded.connect("application");
      const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
      pid = rows[0]?.pid ?? 0;
      if (capture === "trigger")
        await client.query(`insert into account (name) values ('x');/*chronicle:${sent(pid)}*/`);
      else {
        const inserted = await client.query<{ id: number }>("insert into account (name) values ('x') returning id");
        const payload = {
          exclusive: false,
          refuse: false,
          locks: null,
          contexts: [sent(pid)],
          runs: [{ table: "public.account", first: "insert", context: 0, keys: [[inserted.rows[0]?.id]] }],
        };
        await client.query("select chronicle.flush($1::jsonb)", [JSON.stringify(payload)]);
      }
      return lastEvent();
    }

    it("say who acts, and by which key", async () => {
      await withRequestContext(ada, () => application.manager.save(Account, { name: "a" } as Account));
      expect(await lastEvent()).to.deep.equal({ told: "Ada by k1", why: null });
      const event = await eventLog(guarded.application.dataSource).history(Account, 1);
      expect(event.map(({ signedBy }) => signedBy)).to.deep.equal(["k1"]);
    });

    it("say by which key where nobody acts", async () => {
      await application.manager.save(Account, { name: "a" } as Account);
      expect(await lastEvent()).to.deep.equal({ told: "nobody by k1", why: null });
    });

    it("are believed for this connection, and for any where no connection is named", async () => {
      expect(await writeWith((own) => signedBy(key, { pid: own }))).to.deep.equal({ told: "Ada by k1", why: null });
      expect(await writeWith(() => signedBy(key, {}))).to.deep.equal({ told: "Ada by k1", why: null });
    });

    const faults: Record<string, [(pid: number) => string, string]> = {
      "one that is not signed": [() => encodedActor("Ada"), "is not signed"],
      "one of another key": [
        (own) => signedBy({ ...key, id: "k0" }, { pid: own }),
        "is signed with a key that the log does not know",
      ],
      "one of another secret": [
        (own) => signedBy({ ...key, secret: `${key.secret}!` }, { pid: own }),
        "has a wrong signature",
      ],
      "one without a signature": [(own) => signedBy(key, { pid: own }).replace(/\.\w+$/, ""), "has a wrong signature"],
      "one for another connection": [(own) => signedBy(key, { pid: own + 1 }), "was signed for another connection"],
      "an old one": [
        (own) => signedBy(key, { pid: own, ageSeconds: 62 }),
        "was signed more than 60 s before its transaction",
      ],
      "one from the future": [
        (own) => signedBy(key, { pid: own, ageSeconds: -62 }),
        "was signed by a clock that is ahead",
      ],
    };
    for (const [what, [sent, why]] of Object.entries(faults))
      it(`do not believe ${what}, and the event says why`, async () => {
        expect(await writeWith(sent)).to.deep.equal({ told: "nobody", why: `the request context ${why}` });
      });

    it("may be as old as a minute", async () => {
      expect(await writeWith((own) => signedBy(key, { pid: own, ageSeconds: 55 }))).to.include({ told: "Ada by k1" });
      expect(await writeWith((own) => signedBy(key, { pid: own, ageSeconds: -55 }))).to.include({ told: "Ada by k1" });
    });

    if (capture === "trigger")
      it("for any connection do not last as long as a transaction that was open before", async () => {
        const client = await guarded.connect("application");
        await client.query("begin");
        await client.query("select pg_sleep(6)");
        const sent = signedBy(key, { ageSeconds: 62 });
        await client.query(`insert into account (name) values ('x');/*chronicle:${sent}*/`);
        await client.query("commit");
        expect(await lastEvent()).to.deep.equal({
          told: "nobody",
          why: "the request context was signed more than 60 s before its statement",
        });
      });

    if (capture === "trigger")
      // under the other they are sent with the commit
      it("hold for a transaction that lasts longer, and no longer than it", async () => {
        const client = await guarded.connect("application");
        const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
        const sent = signedBy(key, { pid: rows[0]?.pid ?? 0, ageSeconds: 57 });
        const insert = `insert into account (name) values ('x');/*chronicle:${sent}*/`;
        await client.query("begin");
        await client.query("select pg_sleep(4)");
        await client.query(insert);
        await client.query("commit");
        expect(await lastEvent()).to.deep.equal({ told: "Ada by k1", why: null });
        await client.query(insert);
        expect(await lastEvent()).to.include({ told: "nobody" });
      });

    it("can be sent again on their own connection, as SECURITY.md says, and on no other", async () => {
      const client = await guarded.connect("application");
      const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
      const sent = signedBy(key, { pid: rows[0]?.pid ?? 0 });
      if (capture === "trigger") {
        for (const value of ["1", "2"])
          await client.query(`insert into account (name) values ('${value}');/*chronicle:${sent}*/`);
        expect(await lastEvent()).to.include({ told: "Ada by k1" });
      }
      expect(await writeWith(() => sent)).to.deep.equal({
        told: "nobody",
        why: "the request context was signed for another connection",
      });
    });

    it("that say themselves by whom they are signed are not read", async () => {
      const encoded = Buffer.from(JSON.stringify({ ...ada, signedBy: "k1" })).toString("base64");
      const why = "the request context could not be read";
      expect(await writeWith((own) => signedBy(key, { encoded, pid: own }))).to.deep.equal({
        told: "nobody by k1",
        why,
      });
    });

    it("are worth nothing with one letter changed", async function () {
      const places = fc.sample(fc.nat(200), { numRuns: 25, seed: 3 });
      for (const place of places) {
        const event = await writeWith((own) => {
          const sent = signedBy(key, { pid: own });
          const at = place % sent.length;
          return sent.slice(0, at) + (sent[at] === "A" ? "B" : sent[at] === "1" ? "2" : "1") + sent.slice(at + 1);
        });
        expect(event?.told, `letter ${place}`).to.equal("nobody");
      }
    });

    it("are signed with keys that nobody but the owner can read", async () => {
      for (const role of ["application", "reader", "stranger"] as const) {
        const client = await guarded.connect(role);
        const error = await rejectionOf(client.query("select * from chronicle.context_key"));
        expect(error).to.include({ code: "42501" });
        const found = await client.query("select from pg_proc where prosrc like '%' || $1 || '%'", [key.secret]);
        expect(found.rowCount).to.equal(0);
      }
    });

    it("are checked by a new key and the one before, until an install names it no more", async () => {
      const next = { id: "k2", secret: "another secret, as long as it has to be" };
      const install = async (context: object) => {
        const owner = await guarded.open("owner", { capture, context });
        await eventLog(owner).install({ grantTo: guarded.roles.application, grantReadTo: guarded.roles.reader });
      };
      await install({ key: next, previous: key });
      expect(await writeWith(() => signedBy(key, {}))).to.include({ told: "Ada by k1" });
      expect(await writeWith(() => signedBy(next, {}))).to.include({ told: "Ada by k2" });
      await install({ key: next });
      expect(await writeWith(() => signedBy(key, {}))).to.include({ told: "nobody" });
      expect(await writeWith(() => signedBy(next, {}))).to.include({ told: "Ada by k2" });
      const longer = { id: "k2", secret: "ü".repeat(100) };
      await install({ key: longer });
      expect(await writeWith(() => signedBy(next, {}))).to.include({ told: "nobody" });
      expect(await writeWith(() => signedBy(longer, {}))).to.include({ told: "Ada by k2" });
      const silent = await rejectionOf(install({}));
      expect(silent).to.include({ code: "OPTIONS_INVALID" }).with.property("message").that.includes("signed (k2)");
      await install({ key: false });
      expect(await writeWith(() => signedBy(key, {})), "no key").to.deep.equal({ told: "Ada", why: null });
      await install({ key });
    });

    it("are told by check() where what this process sends is not believed", async () => {
      const believed = "What this process writes has no actor: the request context";
      for (const [context, message] of [
        [{ key: { ...key, id: "k9" } }, `${believed} is signed with a key that the log does not know.`],
        [{ key: { ...key, secret: `${key.secret}!` } }, `${believed} has a wrong signature.`],
        [{}, `${believed} is not signed.`],
        [{ key, requireSigned: true }, "has `context.requireSigned`, and the log takes writes"],
      ] as const) {
        const error = await rejectionOf(eventLog(await guarded.open("application", { capture, context })).check());
        expect(error).to.include({ code: "INSTALL_STALE" }).with.property("message").that.includes(message);
      }
      await eventLog(application).check();
      await eventLog(await guarded.open("application", { capture, context: { key, pooler: true } })).check();
    });

    it("are required, where the log was told so", async () => {
      const strict = { capture, context: { key, requireSigned: true } };
      const owner = await guarded.open("owner", strict);
      await eventLog(owner).install({ grantTo: guarded.roles.application, grantReadTo: guarded.roles.reader });
      expect(await rejectionOf(writeWith(() => encodedActor("Ada")))).to.include({ code: "CH008" });
      expect(await rejectionOf(writeWith(() => ""))).to.include({ code: "CH008" });
      expect(await writeWith((own) => signedBy(key, { pid: own }))).to.include({ told: "Ada by k1" });
      const unsigned = await guarded.open("application", { capture });
      const error = await rejectionOf(unsigned.manager.save(Account, { name: "a" } as Account));
      expect(error).to.include({ code: "CONTEXT_UNSIGNED" });
      await application.manager.save(Account, { name: "a" } as Account);
      expect(await lastEvent()).to.include({ told: "nobody by k1" });
      const again = await guarded.open("owner", { capture, context: { key } });
      await eventLog(again).install({ grantTo: guarded.roles.application, grantReadTo: guarded.roles.reader });
      expect(await rejectionOf(writeWith(() => encodedActor("Ada"))), "still").to.include({ code: "CH008" });
    });
  });

describe("the keys of contexts", () => {
  for (const [name, context] of Object.entries({
    "a short secret": { key: { id: "k", secret: "hush-hush" } },
    "a secret in the place of the key": { key: key.secret },
    "a secret in the place of the id": { key: { id: `${key.secret}!`, secret: "x" } },
    "a key that is no text": { key: { id: "k", secret: Buffer.from(key.secret) } },
    "no id": { key: { secret: key.secret } },
    "an id with a dot": { key: { id: "k.1", secret: key.secret } },
    "two keys of one id": { key, previous: { ...key, secret: `${key.secret}!` } },
    "requireSigned without a key": { requireSigned: true },
    "previous alone": { previous: key },
  }))
    it(`are refused with ${name}, and no secret is told`, () => {
      const make = () => withEventLog({ type: "postgres" }, { context: context as never });
      expect(make)
        .to.throw(/context/)
        .with.property("code", "OPTIONS_INVALID");
      expect(make).to.not.throw(/hush|correct horse/);
    });

  it("are not shown with the options", async () => {
    const options = withEventLog({ type: "postgres" }, { context: { key } });
    const { inspect } = await import("node:util");
    expect(inspect(options, { depth: 20, showHidden: true })).to.not.include(key.secret);
  });
});
