import { expect } from "chai";
import { withRequestContext } from "../../src/index.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";
import { blog, Comment, Post, Tag } from "./entities/blog.js";
import { aTag, codeOf } from "./paths/write-path.js";

describe("a flush of subscriber capture", () => {
  let application: TrackedApplication;

  before(async () => {
    application = await TrackedApplication.start(blog, { log: { capture: "subscriber" } });
  });
  after(() => application?.stop());

  describe("that fails", () => {
    it("fails the commit and leaves nothing, neither row nor event, nor a transaction", async () => {
      await application.query("alter table chronicle.event add constraint sabotage check (entity <> 'Tag') not valid");
      const runner = application.dataSource.createQueryRunner();
      try {
        const [tag, post] = [aTag(), Object.assign(new Post(), { title: "With it" })];
        await runner.query("begin");
        await runner.manager.save([tag, post], { transaction: false });
        expect(await codeOf(runner.query("commit"))).to.equal("23514");
        expect((await runner.query("select count(*) from post where id = $1", [post.id]))[0].count).to.equal("0");
        expect((await application.log.history(Post, post.id)).length).to.equal(0);
      } finally {
        await runner.release();
        await application.query("alter table chronicle.event drop constraint sabotage");
      }
    });

    it("says so with a code where an actor is required", async () => {
      const strict = await TrackedApplication.start(blog, { log: { capture: "subscriber", requireActor: true } });
      try {
        expect(await codeOf(strict.manager.save(aTag()))).to.equal("ACTOR_REQUIRED");
        expect(await strict.value("select count(*) from tag")).to.equal("0");
        await withRequestContext({ actor: { type: "user", id: 1 } }, () => strict.manager.save(aTag()));
        expect(await strict.countEvents()).to.equal(1);
      } finally {
        await strict.stop();
      }
    });

    it("says so with a code where an event would be too large", async () => {
      const small = await TrackedApplication.start(blog, {
        log: { capture: "subscriber", limits: { dataBytes: 2_000 } },
      });
      try {
        const noise = Array.from({ length: 4_000 }, () => Math.random().toString(36)).join("");
        expect(await codeOf(small.manager.save(aTag({ color: noise })))).to.equal("LIMIT_EXCEEDED");
        expect(await small.value("select count(*) from tag")).to.equal("0");
      } finally {
        await small.stop();
      }
    });

    it("checks deferred constraints first, with the error that COMMIT would have given", async () => {
      await application.query("alter table comment add constraint later unique (text) deferrable initially deferred");
      const twins = ["same", "same"].map((text) => Object.assign(new Comment(), { text }));
      expect(await codeOf(application.manager.save(twins))).to.equal("23505");
      await application.query("alter table comment drop constraint later");
      expect(await application.value("select count(*) from comment")).to.equal("0");
    });
  });

  describe("by a role without rights on the log", () => {
    let restricted: TrackedApplication["dataSource"];

    before(async () => {
      const password = "p";
      await application.query(
        `do $$ begin if to_regrole('flushing_app') is null then create role flushing_app login password '${password}'; end if; end $$`,
      );
      await application.query(
        "grant select, insert, update, delete on all tables in schema public to flushing_app; grant usage on all sequences in schema public to flushing_app",
      );
      const url = new URL(application.database.url);
      url.username = "flushing_app";
      url.password = password;
      restricted = newDataSource(url.href, blog, {}, { capture: "subscriber" });
      await restricted.initialize();
    });
    after(async () => {
      await restricted?.destroy();
      await application.query("drop owned by flushing_app; drop role flushing_app");
    });

    it("is refused before the first write until the role was granted it", async () => {
      expect(await codeOf(restricted.manager.save(aTag()))).to.equal("INSTALL_STALE");
      await application.log.install({ grantTo: "flushing_app" });
      const tag = await restricted.manager.save(aTag());
      const [event] = await application.log.history(Tag, tag.name);
      expect(event).to.deep.include({ action: "create", data: { name: tag.name, color: "red" } });
    });

    it("cannot forge: what it tells the flush is looked up", async () => {
      const tag = await restricted.manager.save(aTag());
      const events = await application.countEvents();
      const forged = (key: string, first: string) =>
        restricted.query("select chronicle.flush($1)", [
          JSON.stringify({
            exclusive: false,
            refuse: false,
            locks: null,
            contexts: [{ actor: { type: "user", id: "somebody" } }],
            runs: [{ table: "public.tag", keys: [[key]], first, context: 0 }],
          }),
        ]);
      for (const first of ["insert", "update", "delete"]) {
        await forged(tag.name, first);
        await forged("no such tag", first);
      }
      expect(await application.countEvents()).to.equal(events);
      expect(await codeOf(restricted.query("insert into chronicle.event (table_name) values ('x')"))).to.equal("42501");
      expect(await codeOf(restricted.query("select from chronicle.event"))).to.equal("42501");
    });
  });
});
