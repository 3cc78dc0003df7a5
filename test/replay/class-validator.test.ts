import { expect } from "chai";
import { createDatabase } from "../database.js";
import { UserProject } from "../user-project.js";

/** Attaches the log, writes and replays, and says when class-validator was loaded and what `validate: true` came to. */
const program = `
import { createRequire } from "node:module";
import { DataSource, EntitySchema } from "typeorm";
import { eventLog, track, withEventLog } from "typeorm-chronicle";

const { cache } = createRequire(import.meta.url);
const isLoaded = () => Object.keys(cache).some((file) => file.includes("class-validator"));

const Account = track(new EntitySchema({
  name: "Account",
  columns: { id: { type: "integer", primary: true, generated: true }, name: { type: "text" } },
}));
const dataSource = new DataSource(
  withEventLog({ type: "postgres", url: process.env.DATABASE_URL, synchronize: true, entities: [Account] }),
);
await dataSource.initialize();
const log = eventLog(dataSource);
await log.install();
await dataSource.getRepository(Account).save({ name: "Ada" });
const { events } = await log.replay();
const before = isLoaded();
const validated = await log.replay(undefined, { validate: true }).then(
  (report) => ({ events: report.events }),
  ({ code, message }) => ({ code, message }),
);
await dataSource.destroy();
console.log(JSON.stringify({ events, before, validated, after: isLoaded() }));
`;

describe("class-validator", function () {
  this.timeout(60_000);
  let project: UserProject;
  afterEach(() => project.remove());

  async function run(without: readonly string[]): Promise<unknown> {
    project = await UserProject.make({ type: "module", without });
    await project.write("main.js", program);
    const database = await createDatabase();
    try {
      return JSON.parse((await project.run("main.js", { DATABASE_URL: database.url })).stdout);
    } finally {
      await database.drop();
    }
  }

  it("is loaded by `validate: true` alone", async () => {
    expect(await run([])).to.deep.equal({ events: 1, before: false, validated: { events: 1 }, after: true });
  });

  it("need not be installed, and `validate: true` says what to install", async () => {
    const message =
      "replay: `validate: true` needs class-validator, which is not installed. " +
      "Run `npm install class-validator`, or leave `validate` out.";
    const validated = { code: "OPTIONS_INVALID", message };
    expect(await run(["class-validator"])).to.deep.equal({ events: 1, before: false, validated, after: false });
  });
});
