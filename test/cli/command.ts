import { EntitySchema } from "typeorm";
import { track, withRequestContext } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";
import { chronicle, type Ended, Modules } from "./process.js";

interface Account {
  id: number;
  name: string;
  balance?: string;
}

export const Account = track(
  new EntitySchema<Account>({
    name: "Account",
    columns: {
      id: { type: "integer", primary: true },
      name: { type: "text" },
      balance: { type: "numeric", default: 0 },
    },
  }),
);

const ada = { actor: { type: "user", id: "a:1", name: "=cmd|' /C calc'!A0" }, metadata: { reason: "opened" } };

export const json = <T>({ stdout }: Ended) => JSON.parse(stdout) as T;

/** The command on an application of its own; call `command()` in a describe. */
class Command {
  application!: TrackedApplication;
  modules!: Modules;
  /** The module that exports the DataSource. */
  dataSource!: string;

  /** A database for each test of a group that writes, or one for all of a group that only reads. */
  withApplication(each: "each test" | "all tests", prepare?: () => Promise<void>): void {
    const [start, stop] = each === "each test" ? [beforeEach, afterEach] : [before, after];
    start(async () => {
      this.application = await TrackedApplication.start([Account]);
      await prepare?.();
    });
    stop(() => this.application.stop());
  }

  readonly run = (...args: string[]) =>
    chronicle(["-d", this.dataSource, ...args], { url: this.application.database.url });

  /** Two accounts, a bookmark between their openings and what happened to them. */
  readonly history = async (): Promise<void> => {
    const accounts = this.application.dataSource.getRepository(Account);
    await withRequestContext(ada, () =>
      accounts.insert([
        { id: 1, name: "Ada" },
        { id: 2, name: "Grace" },
      ]),
    );
    await this.application.log.bookmark("both_open");
    await accounts.update(1, { balance: "10.50" });
    await accounts.delete(2);
  };
}

export function command(): Command {
  const made = new Command();
  before(async () => {
    made.modules = await Modules.make();
    made.dataSource = await made.modules.write(
      "ormconfig.mjs",
      "export const dataSource = new DataSource(withEventLog(options));",
    );
  });
  after(() => made.modules.remove());
  return made;
}
