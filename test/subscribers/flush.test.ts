import { expect } from "chai";
import type { EntityManager } from "typeorm";
import { type RecordedEvent, withRequestContext } from "../../src/index.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";
import { Author, blog, Post, Tag } from "./entities/blog.js";
import { anAuthor, aTag, codeOf } from "./paths/write-path.js";

/** An event as a word: create(red), update(red>blue), destroy(blue), by the tag's colour. */
function words(events: readonly RecordedEvent<{ color: string }>[]): string[] {
  return events.map(({ action, actionName, origin, data, previous }) => {
    const values = { create: data.color, update: `${previous.color}>${data.color}`, destroy: previous.color };
    return `${origin === "capture" ? (actionName ?? action) : origin}(${values[action]})`;
  });
}

describe("the flush of subscriber capture", () => {
  let application: TrackedApplication;

  before(async () => {
    application = await TrackedApplication.start(blog, { log: { capture: "subscriber" } });
  });
  after(() => application?.stop());

  const historyOf = async (tag: Tag) => words(await application.log.history<{ color: string }>(Tag, tag.name));
  const within = (work: (manager: EntityManager) => Promise<unknown>) => application.dataSource.transaction(work);

  describe("net effects", () => {
    it("tells a create that was updated as a create of what it came to", async () => {
      const tag = aTag();
      await within(async (manager) => {
        await manager.save(tag);
        await manager.save(Object.assign(tag, { color: "blue" }));
      });
      expect(await historyOf(tag)).to.deep.equal(["create(blue)"]);
    });

    it("tells nothing of what came and went", async () => {
      const [tag, kept] = [aTag(), aTag()];
      const { name } = tag;
      await within(async (manager) => {
        await manager.save([tag, kept]);
        await manager.remove(tag);
      });
      expect(await historyOf(Object.assign(tag, { name }))).to.deep.equal([]);
      expect(await historyOf(kept)).to.deep.equal(["create(red)"]);
    });

    it("tells an update and a remove as a destroy of what there was before", async () => {
      const tag = await application.manager.save(aTag());
      const { name } = tag;
      await within(async (manager) => {
        await manager.save(Object.assign(tag, { color: "blue" }));
        await manager.remove(tag);
      });
      expect(await historyOf(Object.assign(tag, { name }))).to.deep.equal(["create(red)", "destroy(red)"]);
    });

    it("tells a remove and a new save under the same key as an update", async () => {
      const tag = await application.manager.save(aTag());
      const { name } = tag;
      await within(async (manager) => {
        await manager.remove(tag);
        await manager.save(aTag({ name, color: "blue" }));
      });
      expect(await historyOf(Object.assign(tag, { name }))).to.deep.equal(["create(red)", "update(red>blue)"]);
    });

    it("tells nothing of changes that were taken back", async () => {
      const tag = await application.manager.save(aTag());
      await within(async (manager) => {
        await manager.save(Object.assign(tag, { color: "blue" }));
        await manager.save(Object.assign(tag, { color: "red" }));
      });
      expect(await historyOf(tag)).to.deep.equal(["create(red)"]);
    });

    it("puts all events of a transaction into it, by the order in which records were touched", async () => {
      const tags = [aTag(), aTag(), aTag()];
      await within(async (manager) => {
        for (const tag of tags) await manager.save(tag);
        await manager.save(Object.assign(tags[0]!, { color: "blue" }));
      });
      const events = (await Promise.all(tags.map((tag) => application.log.history(Tag, tag.name)))).flat();
      expect(new Set(events.map(({ transactionId }) => transactionId)).size).to.equal(1);
      expect(events.map(({ position }) => position)).to.deep.equal(
        events.map(({ position }) => position).toSorted((a, b) => Number(a - b)),
      );
    });
  });

  describe("records that the log does not know", () => {
    it("become a baseline when they are changed", async () => {
      const tag = aTag();
      await application.query("insert into tag values ($1, 'red')", [tag.name]);
      await application.manager.save(Object.assign(tag, { color: "blue" }));
      expect(await historyOf(tag)).to.deep.equal(["baseline(blue)"]);
    });

    it("are reported when they are removed: nobody can tell what they were", async () => {
      const tag = aTag();
      await application.query("insert into tag values ($1, 'red')", [tag.name]);
      const { name } = tag;
      await application.manager.remove(tag);
      expect(await historyOf(Object.assign(tag, { name }))).to.deep.equal([]);
      const { uncaptured } = await application.log.status();
      expect(uncaptured.find(({ shape }) => shape.includes("does not know"))).to.deep.include({
        tables: ["Tag"],
        count: 1,
      });
    });

    it("cannot be removed where a write that is not captured is an error", async () => {
      const refusing = newDataSource(
        application.database.url,
        blog,
        {},
        { capture: "subscriber", uncaptured: "error" },
      );
      await refusing.initialize();
      try {
        const tag = aTag();
        await application.query("insert into tag values ($1, 'red')", [tag.name]);
        const { name } = tag;
        expect(await codeOf(refusing.manager.remove(tag))).to.equal("WRITE_NOT_CAPTURED");
        expect(await application.value("select count(*) from tag where name = $1", [name])).to.equal("1");
      } finally {
        await refusing.destroy();
      }
    });
  });

  it("records each write with the context in which it was made", async () => {
    const [first, second, third] = [aTag(), aTag(), aTag()];
    const as = (id: string, work: () => Promise<unknown>) =>
      withRequestContext({ actor: { type: "user", id }, metadata: { id }, actionName: `by.${id}` }, work);
    await within(async (manager) => {
      await as("1", () => manager.save([first, third]));
      await as("2", () => manager.save(second));
      await as("3", () => manager.save(Object.assign(third, { color: "blue" })));
    });
    const told = await Promise.all(
      [first, second, third].map(async ({ name }) => {
        const [event] = await application.log.history(Tag, name);
        return [event?.actor?.id, event?.metadata, event?.actionName];
      }),
    );
    expect(told).to.deep.equal(["1", "2", "3"].map((id) => [id, { id }, `by.${id}`]));
  });

  describe("transactions", () => {
    it("are recorded whoever commits them, and not when they are rolled back", async () => {
      const runner = application.dataSource.createQueryRunner();
      const [kept, lost, chained] = [aTag(), aTag(), aTag()];
      try {
        await runner.query("begin");
        await runner.manager.save(lost, { transaction: false });
        await runner.query("rollback");
        await runner.query("/* by hand */ start transaction isolation level repeatable read");
        await runner.manager.save(kept, { transaction: false });
        await runner.query("commit and chain");
        await runner.manager.save(chained, { transaction: false });
        await runner.query("end");
      } finally {
        await runner.release();
      }
      expect(await Promise.all([kept, lost, chained].map(historyOf))).to.deep.equal([
        ["create(red)"],
        [],
        ["create(red)"],
      ]);
    });

    it("drop what was done since a savepoint of any name", async () => {
      const tags = [aTag(), aTag(), aTag(), aTag(), aTag()] as const;
      await within(async (manager) => {
        await manager.save(tags[0]);
        await manager.query(`savepoint "One; rollback"`);
        await manager.save(tags[1]);
        await manager.query("savepoint two");
        await manager.save(tags[2]);
        await manager.query("rollback to TWO");
        await manager.save(tags[3]);
        await manager.query(`rollback to savepoint "One; rollback"`);
        await manager.query("savepoint two");
        await manager.save(tags[4]);
        await manager.query("release savepoint two");
      });
      expect((await Promise.all(tags.map(historyOf))).map(({ length }) => length)).to.deep.equal([1, 0, 0, 0, 1]);
    });

    it("keep who wrote a record, though somebody else's write of it was taken back", async () => {
      const tag = aTag();
      const as = (id: string, color: string, manager: EntityManager) =>
        withRequestContext({ actor: { type: "user", id } }, () => manager.save(Object.assign(tag, { color })));
      await within(async (manager) => {
        await as("one", "blue", manager);
        await manager.query("savepoint mine");
        await as("two", "green", manager);
        await manager.query("rollback to savepoint mine");
      });
      const [event, ...more] = await application.log.history(Tag, tag.name);
      expect(event).to.deep.include({
        data: { name: tag.name, color: "blue" },
        actor: { type: "user", id: "one", name: null },
      });
      expect(more).to.deep.equal([]);
    });

    it("keep what concurrent saves on one runner did", async () => {
      const tags = Array.from({ length: 8 }, () => aTag());
      const posts = Array.from({ length: 4 }, (_, index) =>
        Object.assign(new Post(), { title: `${index}`, tags: [tags[index]] }),
      );
      await within((manager) => Promise.all([...tags.slice(4), ...posts].map((entity) => manager.save(entity))));
      expect((await Promise.all(tags.map(historyOf))).map(({ length }) => length)).to.deep.equal(tags.map(() => 1));
      for (const { id } of posts) expect((await application.log.history(Post, id)).length).to.equal(1);
    });

    it("survive a serialization failure and a retry on the same runner", async () => {
      const { id } = await application.manager.save(anAuthor());
      const runner = application.dataSource.createQueryRunner();
      let failures = 0;
      try {
        for (let done = false; !done;) {
          await runner.startTransaction("SERIALIZABLE");
          try {
            const author = await runner.manager.findOneByOrFail(Author, { id });
            await runner.manager.save(aTag({ name: `attempt ${failures}` }));
            if (failures === 0) {
              const elsewhere = await application.manager.findOneByOrFail(Author, { id });
              await application.manager.save(Object.assign(elsewhere, { score: 5 }));
            }
            await runner.manager.save(Object.assign(author, { score: author.score + 1 }));
            await runner.commitTransaction();
            done = true;
          } catch (error) {
            if ((error as { code?: string }).code !== "40001" || ++failures > 1) throw error;
            await runner.rollbackTransaction();
          }
        }
      } finally {
        await runner.release();
      }
      expect(failures).to.equal(1);
      const scores = (await application.log.history(Author, id)).map(({ data }) => data["score"]);
      expect(scores).to.deep.equal([0, 5, 6]);
      expect(await historyOf(aTag({ name: "attempt 0" }))).to.deep.equal([]);
      expect(await historyOf(aTag({ name: "attempt 1" }))).to.deep.equal(["create(red)"]);
    });

    it("create a record anew that another has removed since their snapshot was taken", async () => {
      const tag = await application.manager.save(aTag());
      const { name } = tag;
      await application.dataSource.transaction("REPEATABLE READ", async (manager) => {
        await manager.query("select 1 from tag");
        await application.manager.remove(tag);
        await manager.insert(Tag, { name, color: "blue" });
      });
      expect(await historyOf(aTag({ name }))).to.deep.equal(["create(red)", "destroy(red)", "create(blue)"]);
    });

    it("commit what has failed before as PostgreSQL does: as a rollback", async () => {
      const runner = application.dataSource.createQueryRunner();
      const tag = aTag();
      try {
        await runner.query("begin");
        await runner.manager.save(tag, { transaction: false });
        await runner.query("select 1 / 0").catch(() => undefined);
        await runner.query("commit");
        await runner.manager.save(aTag());
      } finally {
        await runner.release();
      }
      expect(await historyOf(tag)).to.deep.equal([]);
    });
  });

  it("writes nothing on tables that have capture triggers", async () => {
    const other = await TrackedApplication.start(blog);
    const behind = newDataSource(other.database.url, blog, {}, { capture: "subscriber" });
    try {
      await behind.initialize();
      expect(await codeOf(behind.manager.save(aTag()))).to.equal("INSTALL_STALE");
      const [tag] = await other.query<{ name: string }>("insert into tag (name) values ('by trigger') returning name");
      await behind.query("select chronicle.flush($1)", [
        JSON.stringify({
          exclusive: false,
          refuse: false,
          locks: null,
          contexts: [],
          runs: [{ table: "public.tag", keys: [[tag?.name]], first: "insert", context: null }],
        }),
      ]);
      expect(await other.countEvents()).to.equal(1);
    } finally {
      await behind.destroy();
      await other.stop();
    }
  });

  it("leaves a log that says what the tables hold", async () => {
    await application.log.baseline();
    const { equal, differences } = await application.log.verify();
    expect({ equal, differences }).to.deep.equal({ equal: true, differences: [] });
  });
});
