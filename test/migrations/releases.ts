import type { DataSource } from "typeorm";
import type { Capture, EventLog } from "../../src/index.js";
import { Application } from "../replay/application.js";
import { type EntityClass, entityOf } from "./entity-of.js";
import type { Shape } from "./kind.js";
import { type Write, writeByRepository, writeBySql } from "./writes.js";

/** One release of an application with one table, `person`, whose entity has the same name in the log. */
export interface PersonRelease {
  readonly dataSource: DataSource;
  readonly log: EventLog;
  readonly entity: EntityClass;
  /** As psql would under trigger capture, else through the repository. */
  write(...writes: readonly Write[]): Promise<void>;
}

/** An application that is released again and again, on a database of its own. */
export class Releases {
  private constructor(
    readonly app: Application,
    readonly capture: Capture,
    readonly first: PersonRelease,
  ) {}

  static async start(shape: Shape, capture: Capture): Promise<Releases> {
    const entity = entityOf(shape, "person");
    const app = new Application({ entities: [entity], capture });
    await app.start();
    const { dataSource, log } = app;
    return new Releases(app, capture, releaseOf(app, capture, shape, { dataSource, log, entity }));
  }

  /** The next release; not installed yet. */
  async next(shape: Shape, { capture = this.capture }: { capture?: Capture } = {}): Promise<PersonRelease> {
    const entity = entityOf(shape, "person");
    const opened = await this.app.open({ entities: [entity], capture });
    return releaseOf(this.app, capture, shape, { ...opened, entity });
  }

  async ddl(...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.app.sql(statement);
  }

  /** The tables of the log that hold a text anywhere, partitions under their own names. */
  async tablesWith(canary: string): Promise<string[]> {
    const tables = await this.app.sql<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'chronicle'::regnamespace and relkind = 'r' order by 1`,
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await this.app.sql(
        `select from chronicle.${name} t where strpos(to_jsonb(t.*)::text, $1) > 0 limit 1`,
        [canary],
      );
      if (rows.length > 0) found.push(name);
    }
    return found;
  }

  async stop(): Promise<void> {
    await this.app.stop();
  }
}

function releaseOf(
  app: Application,
  capture: Capture,
  shape: Shape,
  { dataSource, log, entity }: Omit<PersonRelease, "write">,
): PersonRelease {
  const target = { dataSource, entity, shape };
  const write = (...writes: readonly Write[]) =>
    capture === "trigger" ? writeBySql(app.db, target, writes) : writeByRepository(target, writes);
  return { dataSource, log, entity, write };
}
