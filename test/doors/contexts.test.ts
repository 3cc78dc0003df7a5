import { expect } from "chai";
import { setTimeout } from "node:timers/promises";
import { enrichRequestContext, withRequestContext } from "../../src/index.js";
import { recordedEvents } from "../../src/testing/index.js";
import { rejectionOf } from "../replay/application.js";
import { TrackedApplication } from "../tracked-application.js";
import { crowd, expectOwnEvents, Note, poolSize, writeNotes } from "./crowd.js";

describe("a request context", function () {
  this.timeout(300_000);

  let application: TrackedApplication;
  let notes: ReturnType<TrackedApplication["manager"]["getRepository"]>;
  async function start(requireActor = false) {
    application = await TrackedApplication.start([Note], { log: { requireActor }, dataSource: { poolSize } });
    notes = application.manager.getRepository(Note);
  }
  afterEach(() => application.stop());

  it("is opened by hand for each of 1,000 messages of a queue, and never crosses to another", async () => {
    await start();
    const messages = Array.from({ length: crowd }, (_, index) => `author ${index}`);
    const consume = async () => {
      for (let message = messages.pop(); message !== undefined; message = messages.pop()) {
        const author = message;
        await withRequestContext({ actor: { type: "worker", id: author } }, () =>
          writeNotes(application.dataSource, author),
        );
      }
    };
    await Promise.all(Array.from({ length: 50 }, consume));
    await expectOwnEvents(application.dataSource);
  });

  it("is merged with those around it, and is as it was behind an inner one", async () => {
    await start();
    const write = (text: string) => notes.insert({ author: "ada", text });
    const events = await recordedEvents(application.dataSource, () =>
      withRequestContext({ actor: { type: "user", id: 1 }, tenant: "acme", metadata: { a: 1, b: 1 } }, async () => {
        await withRequestContext({ metadata: { b: 2 }, actionName: "inner" }, async () => {
          await setTimeout(1);
          enrichRequestContext({ metadata: { c: 3 } });
          await write("inner");
        });
        await write("outer");
        enrichRequestContext({ actor: { type: "user", id: 2 } });
        await write("enriched");
      }),
    );
    expect(
      events.map(({ actor, tenant, metadata, actionName }) => [actor?.id, tenant, metadata, actionName]),
    ).to.deep.equal([
      ["1", "acme", { a: 1, b: 2, c: 3 }, "inner"],
      ["1", "acme", { a: 1, b: 1 }, null],
      ["2", "acme", { a: 1, b: 1 }, null],
    ]);
    expect(new Set(events.map(({ correlationId }) => correlationId)).size).to.equal(1);
  });

  it("of more than 1 KiB goes whole with each autocommit write of 200 at once, and with no other", async () => {
    await start();
    const contextOf = (index: number) => ({
      actor: { type: "user", id: String(index) },
      metadata: { index, document: `${index} ${"x".repeat(1_024 + index * 20)} ä€🙂` },
    });
    const indexes = Array.from({ length: 200 }, (_, index) => index);
    const events = await recordedEvents<Note>(application.dataSource, () =>
      Promise.all(
        indexes.map(async (index) => {
          await setTimeout(index % 7);
          // Every other context is small: it goes as a comment over the same connections.
          const { actor, metadata } = contextOf(index);
          const context = index % 2 === 0 ? { actor, metadata } : { actor, metadata: { index } };
          return withRequestContext(context, () => notes.insert({ author: String(index), text: "" }));
        }),
      ),
    );
    expect(events).to.have.length(indexes.length);
    for (const { actor, metadata, data } of events) {
      const index = Number(data.author);
      expect(actor?.id).to.equal(String(index));
      expect(metadata).to.deep.equal(index % 2 === 0 ? contextOf(index).metadata : { index });
    }
    expect(new Set(events.map(({ transactionId }) => transactionId)).size).to.equal(indexes.length);
  });

  it("without an actor makes no tracked write where actors are required", async () => {
    await start(true);
    const events = await recordedEvents(application.dataSource, async () => {
      for (const write of [
        () => notes.save({ author: "nobody", text: "" }),
        () => withRequestContext({ metadata: { a: 1 } }, () => notes.insert({ author: "nobody", text: "" })),
        () =>
          withRequestContext({ metadata: { a: "x".repeat(2_000) } }, () =>
            notes.insert({ author: "nobody", text: "" }),
          ),
      ]) {
        expect(await rejectionOf(write())).to.include({ code: "ACTOR_REQUIRED" });
      }
      await withRequestContext({ actor: { type: "user", id: 1 } }, () => notes.insert({ author: "ada", text: "" }));
    });
    expect(events.map(({ actor }) => actor?.id)).to.deep.equal(["1"]);
    expect(await notes.count()).to.equal(1);
  });
});
