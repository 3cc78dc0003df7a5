import type { DataSource } from "typeorm";
import type { EventLog } from "../../src/index.js";
import { Application, type Setting } from "./application.js";

/**
 * An application that was deployed with one shape of its entities, wrote, and was then migrated: its `log` and `dataSource` are
 * those of the new code. `write` is run by the old code, `migrate` is SQL.
 */
export class UpgradedApplication extends Application {
  constructor(
    old: Setting,
    private readonly next: {
      readonly write: (old: { dataSource: DataSource; log: EventLog; app: Application }) => Promise<unknown>;
      readonly migrate: string;
      readonly now: Setting;
    },
  ) {
    super(old);
  }

  override async start(): Promise<void> {
    await super.start();
    await this.next.write({ dataSource: this.dataSource, log: this.log, app: this });
    await this.db.query(this.next.migrate);
    await this.deploy(this.next.now);
  }

  /** Runs other code from now on. */
  async deploy(setting: Setting): Promise<void> {
    ({ dataSource: this.dataSource, log: this.log } = await this.open(setting));
    await this.log.install();
  }
}

/** An upgraded application for the suite that calls it; its tests see what those before them left. */
export function upgradedApplication(
  ...parameters: ConstructorParameters<typeof UpgradedApplication>
): UpgradedApplication {
  const app = new UpgradedApplication(...parameters);
  before(() => app.start());
  after(() => app.stop());
  return app;
}
