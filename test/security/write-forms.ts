import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import QueryStream from "pg-query-stream";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { eventLog, Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Item {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

/** What a trigger makes of an item when its transaction commits. */
@Entity()
@Tracked()
class Copy {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

interface Cursor {
  readonly cursor: pg.Submittable & { read(rows: number): Promise<unknown[]>; close(): Promise<void> };
}

export type WriteForm = (client: pg.ClientBase) => Promise<unknown>;

const imitation = `/*chronicle:${encodedActor("Mallory")}*/`;

/** A request context as it is sent. */
export function encodedActor(id: string): string {
  return Buffer.from(JSON.stringify({ actor: { type: "user", id } })).toString("base64");
}

/** Every form in which a client can be given a write. */
export const writeForms: Readonly<Record<string, WriteForm>> = {
  "a text": (client) => client.query("insert into item (name) values ('a')"),
  "a text with parameters": (client) => client.query("insert into item (name) values ($1)", ["a"]),
  "a text with a semicolon": (client) => client.query("insert into item (name) values ($1) ; ", ["a"]),
  "a text with a comment in the end": (client) => client.query("insert into item (name) values ($1) -- a", ["a"]),
  "a text that imitates a context": (client) =>
    client.query(`insert into item (name) values ('${imitation}');${imitation}`),
  "a text that imitates one behind dashes": (client) =>
    client.query(`insert into item (name) values ($1) --;${imitation}`, ["a"]),
  "a literal that imitates one": (client) => client.query(`insert into item (name) select ';${imitation}'`),
  "several statements": (client) =>
    client.query("insert into item (name) values ('a'); insert into item (name) values ('b')"),
  "a write behind SET": (client) => client.query("set application_name = 'a'; insert into item (name) values ('a')"),
  "a write behind SAVEPOINT": (client) =>
    client.query("begin; savepoint a; insert into item (name) values ('a'); release a; commit"),
  "a write behind ROLLBACK": (client) => client.query("rollback; insert into item (name) values ('a')"),
  "a transaction in a message": (client) => client.query("begin; insert into item (name) values ('a'); commit"),
  "a transaction behind another statement": (client) =>
    client.query("select 1; begin; insert into item (name) values ('a'); commit"),
  "a deferred trigger, run by SET CONSTRAINTS": async (client) => {
    await client.query("begin");
    await client.query("insert into item (name) values ('copied')");
    await client.query("set constraints all immediate");
    await client.query("commit");
  },
  "a deferred trigger": (client) => client.query("insert into item (name) values ('copied')"),
  "a deferred trigger, of a text with parameters": (client) =>
    client.query("insert into item (name) values ($1)", ["copied"]),
  "a block": (client) => client.query("do $$ begin insert into item (name) values ('a'); end $$"),
  "a procedure": (client) => client.query("call write_item('a')"),
  "a function": (client) => client.query("select item_written($1)", ["a"]),
  "a named statement": (client) =>
    client.query({ name: "named", text: "insert into item (name) values ($1)", values: ["a"] }),
  "a named statement that imitates a context": (client) =>
    client.query({ name: "imitating", text: `insert into item (name) values ($1);${imitation}`, values: ["a"] }),
  "a named call": (client) => client.query({ name: "call", text: "call write_item($1)", values: ["a"] }),
  "PREPARE and EXECUTE": async (client) => {
    await client.query(`prepare writing (text) as insert into item (name) values ($1);${imitation}`);
    await client.query("execute writing ('a')");
    await client.query("deallocate writing");
  },
  "a query object": (client) => submitted(client, new pg.Query("insert into item (name) values ($1)", ["a"])),
  "a named query object": (client) =>
    submitted(client, new pg.Query({ name: "object", text: "insert into item (name) values ($1)", values: ["a"] })),
  "a cursor": async (client) => {
    const { cursor } = new QueryStream("insert into item (name) values ($1) returning id", ["a"]) as unknown as Cursor;
    client.query(cursor);
    while ((await cursor.read(1)).length > 0);
    await cursor.close();
  },
  "a stream": async (client) => {
    const rows = client.query(new QueryStream("insert into item (name) values ($1), ('b') returning id", ["a"]));
    for await (const _ of rows);
  },
  COPY: (client) => pipeline(Readable.from(["a\n", "b\n"]), client.query(copyFrom("copy item (name) from stdin"))),
};

function submitted(client: pg.ClientBase, query: pg.Query): Promise<void> {
  return new Promise((resolve, reject) => {
    query.on("end", () => resolve());
    query.on("error", reject);
    client.query(query);
  });
}

/** An application with one connection, and what the server is sent on it. */
export class WriteDesk {
  readonly sent: string[] = [];

  private constructor(readonly application: TrackedApplication) {}

  static async start(log = {}): Promise<WriteDesk> {
    const sent: string[] = [];
    class Recorded extends pg.Client {
      readonly #isOfPool: boolean;
      // oxlint-disable-next-line typescript/no-explicit-any -- as pg declares it
      constructor(config?: any) {
        super(config);
        // The activity log has a connection of its own, on which a timer may send something at any moment.
        this.#isOfPool = config?.application_name !== "typeorm-chronicle activity";
      }
      // oxlint-disable-next-line typescript/no-explicit-any -- pg's signature has five forms
      override query(given: any, ...rest: any[]): any {
        if (this.#isOfPool) sent.push(typeof given === "string" ? given : (given.text ?? given.cursor.text));
        return (super.query as (...all: unknown[]) => unknown)(given, ...rest);
      }
    }
    const application = await TrackedApplication.start([Item, Copy], {
      install: false,
      log,
      dataSource: { poolSize: 1, extra: { Client: Recorded } },
    });
    await application.query(`
      create function copy_item() returns trigger language plpgsql as
        $$ begin insert into copy (name) values (new.name); return null; end $$;
      create constraint trigger copied after insert on item deferrable initially deferred
        for each row when (new.name = 'copied') execute function copy_item();
      create procedure write_item(text) language sql as 'insert into item (name) values ($1)';
      create function item_written(text) returns void language sql as 'insert into item (name) values ($1)'`);
    await eventLog(application.dataSource).install();
    const desk = new WriteDesk(application);
    return Object.assign(desk, { sent });
  }

  /** Works on the one connection of the pool. */
  async withClient<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const { master } = this.application.dataSource.driver as unknown as { master: pg.Pool };
    const client = await master.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  }

  /** Writes in a form, in a transaction or not; the actors of what was recorded, or what else `of` names. */
  async write(
    form: WriteForm,
    { inTransaction, of = "actor_id" }: { inTransaction: boolean; of?: string },
  ): Promise<(string | null)[]> {
    const before = await this.application.value("select coalesce(max(position), 0) from chronicle.event");
    await this.withClient(async (client) => {
      if (inTransaction) await client.query("start transaction");
      await form(client);
      if (inTransaction) await client.query("commit");
    });
    const rows = await this.application.query<{ told: string | null }>(
      `select distinct ${of} as told from chronicle.event where position > $1`,
      [before],
    );
    return rows.map(({ told }) => told);
  }
}
