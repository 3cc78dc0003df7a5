import { expect } from "chai";
import { startPostgres } from "../../dev/postgres.mjs";
import type { TailedEvent } from "../../src/index.js";
import { application } from "../replay/application.js";
import { tailEntities } from "./tail-load.js";

describe("a tail, where the server has prepared transactions", function () {
  this.timeout(120_000);
  const given = process.env["DATABASE_URL"];
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
  before(async () => {
    server = await startPostgres({ server: "own", settings: { max_prepared_transactions: 4 } });
    process.env["DATABASE_URL"] = server.url;
  });
  const app = application({ entities: tailEntities });
  after(async () => {
    if (given === undefined) delete process.env["DATABASE_URL"];
    else process.env["DATABASE_URL"] = given;
    await server?.stop();
  });

  it("keeps no transaction from being prepared, and gives its events when it is committed", async () => {
    const tail = app.log.tail()[Symbol.asyncIterator]();
    const first = tail.next();
    while ((await app.sql("select from chronicle.sleeping_tail where until > now()")).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const client = await app.connect();
    await client.query("begin; insert into parcel (note) values ('prepared'); prepare transaction 'one'");
    await client.query("commit prepared 'one'");
    expect((await first).value).to.deep.include({ data: { id: "1", note: "prepared" } });
    await tail.return?.();
  });

  it("is not held back by one that is prepared, and gives its events when it is committed, also after a resume", async () => {
    const client = await app.connect();
    const next = async (after: string | bigint) => {
      const tail = app.log.tail({ after })[Symbol.asyncIterator]();
      const { cursor, data } = (await tail.next()).value as TailedEvent;
      await tail.return?.();
      return [data.note, cursor] as const;
    };
    await client.query("begin; insert into parcel (note) values ('kept'); prepare transaction 'kept'");
    await client.query("begin; insert into parcel (note) values ('gone'); prepare transaction 'gone'");
    await client.query("insert into parcel (note) values ('meanwhile')");
    const [meanwhile, cursor] = await next(0n);
    expect(meanwhile).to.equal("meanwhile");
    const following = next(cursor);
    await client.query("rollback prepared 'gone'");
    await client.query("commit prepared 'kept'");
    expect((await following)[0]).to.equal("kept");
    await client.query("insert into parcel (note) values ('last')");
    expect((await next((await following)[1]))[0]).to.equal("last");
  });
});
