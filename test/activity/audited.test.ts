import "reflect-metadata";
import { once } from "node:events";
import { expect } from "chai";
import type { DataSource } from "typeorm";
import { Audited } from "../../src/index.js";
import { newDataSource, type TrackedApplication } from "../tracked-application.js";
import { Account } from "./account.js";
import { found, startActivity } from "./activity-log.js";

/** As a framework's guard does. */
function Guarded(_prototype: object, _name: string, { value }: PropertyDescriptor): void {
  Reflect.defineMetadata("guards", "deny", value as object);
}

class Reports {
  readonly name = "reports";

  @Audited("report.build", {
    category: "reports",
    params: (year: number) => ({ year }),
    subject: (_: number, who: string) => who,
  })
  async build(year: number, who: string): Promise<string> {
    if (year < 0) throw new Error("no such year");
    return Promise.resolve(`${this.name} of ${year} for ${who}`);
  }
}

class Careless {
  @Audited("careless", { subject: (body: { email: string }) => body.email })
  @Guarded
  async run(_body: undefined): Promise<string> {
    return Promise.resolve("ran");
  }
}

class Chosen {
  constructor(readonly dataSource: DataSource) {}

  @Audited("chosen", { dataSource: (self: Chosen) => self.dataSource })
  async run(): Promise<number> {
    return Promise.resolve(1);
  }
}

describe("@Audited", function () {
  this.timeout(30_000);

  let app: TrackedApplication;
  beforeEach(async () => void (app = await startActivity()));
  afterEach(() => app.stop());

  it("records each call of a method, with what is made of its arguments, and how it ended", async () => {
    const reports = new Reports();
    expect(await reports.build(2026, "Ada")).to.equal("reports of 2026 for Ada");
    expect(await reports.build(-1, "Ada").catch((error: Error) => error.message)).to.equal("no such year");
    const [failed, built] = await found(app, { action: "report.build" });
    expect(built).to.deep.include({
      outcome: "success",
      subject: "Ada",
      params: { year: 2026 },
      category: "reports",
      error: null,
    });
    expect(failed).to.deep.include({ outcome: "failure", params: { year: -1 }, error: "no such year" });
  });

  it("records a call though its subject or params cannot be made", async () => {
    const warned = once(process, "warning");
    expect(await new Careless().run(undefined)).to.equal("ran");
    expect(String((await warned)[0])).to.include('@Audited("careless") records no subject or params');
    expect((await found(app, { action: "careless" }))[0]).to.deep.include({ outcome: "success", subject: null });
  });

  it("keeps what decorators below it have left on the method, such as guards", () => {
    const method = Object.getOwnPropertyDescriptor(Careless.prototype, "run")?.value as object;
    expect(Reflect.getMetadata("guards", method)).to.equal("deny");
    expect(method).to.have.property("name", "run");
  });

  it("takes the DataSource that it is told where a process has several, and else lets the method be", async () => {
    const second = await newDataSource(app.database.url, [Account]).initialize();
    try {
      await second.manager.query("select 1"); // the activity log starts with the first query
      expect(await new Reports().build(1, "Grace")).to.equal("reports of 1 for Grace");
      expect(await new Chosen(app.dataSource).run()).to.equal(1);
      expect((await found(app)).map(({ action }) => action)).to.deep.equal(["chosen"]);
    } finally {
      await second.destroy();
    }
  });
});
