import { randomBytes } from "node:crypto";
import { Column, type DataSource, Entity, ManyToOne, PrimaryColumn } from "typeorm";
import { type Capture, eventLog, type EventLog, Sensitive, Tracked } from "../../src/index.js";
import { createDatabase, query, type TestDatabase } from "../database.js";
import { newDataSource } from "../tracked-application.js";

@Entity({ name: "item" })
@Tracked()
export class Item {
  @PrimaryColumn("integer") id!: number;
  @Column("text") tenant!: string;
  @Column("text", { nullable: true }) @Sensitive() name!: string | null;
}

/** A table that no policy is on. */
@Entity({ name: "plain" })
@Tracked()
export class Plain {
  @PrimaryColumn("integer") id!: number;
}

/** Rows that the database deletes with the item that they refer to. */
@Entity({ name: "part" })
@Tracked()
export class Part {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Item, { onDelete: "CASCADE" }) item!: Item;
}

/** Who owns the table and the log, and whether row level security hides rows from the log's owner. */
export const owners = {
  "owns the table, by force": { table: "owner", forced: true, bypass: false, hidden: true },
  "does not own the table": { table: "superuser", forced: false, bypass: false, hidden: true },
  "bypasses row level security": { table: "owner", forced: true, bypass: true, hidden: false },
  "owns the table": { table: "owner", forced: false, bypass: false, hidden: false },
} as const;
export type Owner = (typeof owners)[keyof typeof owners];

export const policy = `create policy by_tenant on item
  using (tenant = current_setting('app.tenant', true)) with check (true)`;

/** A database with a table whose rows are of tenants, its policy, and no log yet. */
export class RowSecurity {
  private readonly opened: DataSource[] = [];

  private constructor(
    private readonly database: TestDatabase,
    private readonly capture: Capture,
    readonly owner: string,
    private readonly application: string,
  ) {}

  /** `secured` false leaves row level security for later. (Default: true) */
  static async set(
    capture: Capture,
    { table, forced, bypass }: Owner,
    work: (stage: RowSecurity) => Promise<void>,
    { secured = true, made = "create table item (id integer primary key, tenant text, name text)" } = {},
  ): Promise<void> {
    const suffix = randomBytes(4).toString("hex");
    const database = await createDatabase();
    const stage = new RowSecurity(database, capture, `owner_${suffix}`, `application_${suffix}`);
    const { owner, application } = stage;
    try {
      await stage.sql(`
        create role ${owner} login ${bypass ? "bypassrls" : ""};
        create role ${application} login;
        grant create on database "${new URL(database.url).pathname.slice(1)}" to ${owner};
        ${made};
        create table plain (id integer primary key);
        do $$ declare name text; begin
          for name in select tablename from pg_tables where schemaname = 'public' loop
            execute format('alter table %I owner to ${owner}', name);
          end loop;
        end $$;
        ${table === "owner" ? "" : "alter table item owner to current_user;"}
        grant all on item to ${owner};
        grant select, insert, update, delete, truncate on all tables in schema public to ${application}`);
      if (secured) await stage.secure(forced);
      await work(stage);
    } finally {
      for (const dataSource of stage.opened) await dataSource.destroy();
      await database.drop();
      const server = Object.assign(new URL(database.url), { pathname: "/postgres" }).href;
      for (const role of [owner, application]) await query(server, `drop role ${role}`);
    }
  }

  async secure(forced: boolean): Promise<void> {
    await this.sql(`alter table item enable row level security; ${policy}`);
    if (forced) await this.sql("alter table item force row level security");
  }

  /** As the superuser, who sees all rows. */
  sql(text: string): Promise<Record<string, unknown>[]> {
    return query(this.database.url, text);
  }

  async open(role: "owner" | "application" | "superuser", more: (new () => object)[] = []): Promise<DataSource> {
    const url = new URL(this.database.url);
    if (role !== "superuser") url.username = this[role];
    const options = { capture: this.capture, uncaptured: "error" } as const;
    const dataSource = await newDataSource(url.href, [Item, Plain, ...more], {}, options).initialize();
    this.opened.push(dataSource);
    return dataSource;
  }

  async install(more?: (new () => object)[]): Promise<EventLog> {
    const log = eventLog(await this.open("owner", more));
    await log.install({ grantTo: this.application });
    return log;
  }

  rows(): Promise<Record<string, unknown>[]> {
    return this.sql("select id::integer as id, tenant, name from item order by 1");
  }

  /** The rows that the events add up to, by a fold that is none of the library's. */
  async recorded(): Promise<Record<string, unknown>[]> {
    const rows = new Map<number, Record<string, unknown>>();
    for (const { action, id, data } of await this.events()) {
      if (action === "destroy") rows.delete(id);
      else rows.set(id, { ...(action === "create" ? {} : rows.get(id)), ...data });
    }
    return [...rows.values()].toSorted((a, b) => Number(a["id"]) - Number(b["id"]));
  }

  events(): Promise<{ action: string; id: number; data: Record<string, unknown> }[]> {
    return this.sql(`
      select e.action, (e.record_id ->> 'id')::integer as id, e.data || coalesce(s.data, '{}') as data
      from chronicle.event e left join chronicle.event_sensitive s using (position)
      where e.entity = 'Item' order by e.position`) as Promise<never>;
  }
}

export const inTenant = (tenant: string): string => `select set_config('app.tenant', '${tenant}', true)`;
