import { randomBytes } from "node:crypto";
import pg from "pg";
import { type Capture, eventLog } from "../../../src/index.js";
import { query } from "../../database.js";
import { Guarded, type Roles } from "../roles.js";
import { Sample } from "./sample.js";

/** Who attacks: a role of the set-up, or one that the server's administrator let write every table. */
export type Attacker = keyof Roles | "writer";

/** What an attack did on the way, that it may do. */
export interface Allowed {
  /** Changes of tracked rows, each of which is an event. (Default: 0) */
  readonly writes?: number;
  /** Entries of the activity log. (Default: 0) */
  readonly entries?: number;
}

/** What stands in the log alone, and whom it must not reach. */
const canaries = {
  sensitive: `sensitive ${randomBytes(6).toString("hex")}`,
  event: `event ${randomBytes(6).toString("hex")}`,
  activity: `activity ${randomBytes(6).toString("hex")}`,
} as const;
const mayRead: Readonly<Record<Attacker, readonly (keyof typeof canaries)[]>> = {
  owner: ["sensitive", "event", "activity"],
  reader: ["event", "activity"],
  application: [],
  stranger: [],
  writer: [],
};

/** Where the log was when an attack began. */
interface Start {
  readonly position: string;
  readonly entries: readonly string[];
}

interface State {
  /** A digest of all rows that were there at the start. */
  readonly recorded: string;
  /** What the log and its tables are made of: a line for each. */
  readonly made: string;
  /** Events and entries since the start. */
  readonly events: string;
  readonly entries: string;
}

/**
 * A log with something to steal, and what tells whether an attack came to anything: it was read, what stood in it or how
 * it is made is another, something is in it that did not happen, or it does not go on.
 */
export class Scene {
  #start: Start = { position: "0", entries: [] };
  #before: State | undefined;
  #received = "";
  #attacker: Attacker = "stranger";
  #writes = 0;

  private constructor(
    readonly guarded: Guarded,
    private readonly writer: string,
  ) {}

  static async start(capture: Capture = "trigger"): Promise<Scene> {
    const guarded = await Guarded.start({ capture }, [Sample]);
    const { application, roles } = guarded;
    const writer = `writer_${randomBytes(4).toString("hex")}`;
    await application.query(`create role ${writer} login; grant pg_write_all_data to ${writer};
      grant create on database "${new URL(application.database.url).pathname.slice(1)}" to ${roles.application};
      grant create on schema public to ${roles.stranger}, ${roles.application}, ${writer}`);
    const scene = new Scene(guarded, writer);
    const written = await guarded.open("application");
    const { manager } = written;
    await manager.insert("Sample", { id: "one", words: "a" });
    const account = { id: 1, name: canaries.event, taxNumber: canaries.sensitive };
    await manager.save("Account", account);
    await manager.save("Account", { ...account, name: "Ada", taxNumber: null });
    await eventLog(written).activity.recordNow("sign_in", { subject: canaries.activity, outcome: "failure" });
    await eventLog(await guarded.open("owner")).bookmark("kept");
    return scene;
  }

  /** The state that the attack must not change. */
  async begin(attacker: Attacker): Promise<void> {
    this.#attacker = attacker;
    this.#received = "";
    const [row] = await this.query<{ position: string; entries: string[] }>(
      `select coalesce(max(position), 0) as position, array(select id::text from chronicle.activity) as entries
       from chronicle.event`,
    );
    this.#start = row ?? this.#start;
    this.#before = await this.#state();
  }

  /** Runs statements in a session of its own, one after another, whatever becomes of each. Returns what each came to. */
  async run(statements: readonly string[], attacker: Attacker = this.#attacker): Promise<string[]> {
    const client = await this.connect(attacker);
    const outcomes: string[] = [];
    for (const statement of statements) {
      try {
        const results = await client.query<Record<string, unknown>>(statement);
        const rows = [results].flat().flatMap((result) => result.rows);
        this.receive(JSON.stringify(rows, (_key, value: unknown) => (typeof value === "bigint" ? `${value}` : value)));
        outcomes.push("done");
      } catch (error) {
        const { message, detail, hint, where, code } = error as pg.DatabaseError;
        this.receive([message, detail, hint, where].join("\n"));
        await client.query("rollback"); // a transaction that failed would refuse what comes next
        outcomes.push(code ?? message);
      }
    }
    await client.end();
    return outcomes;
  }

  async connect(attacker: Attacker): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.urlOf(attacker), statement_timeout: 10_000 });
    client.on("notice", (notice) => this.receive(notice.message ?? ""));
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  urlOf(attacker: Attacker): string {
    const username = attacker === "writer" ? this.writer : this.guarded.roles[attacker];
    return Object.assign(new URL(this.guarded.application.database.url), { username }).href;
  }

  /** Everything that an attacker got to see. */
  receive(text: string): void {
    this.#received += `${text}\n`;
  }

  /** SQL past the library, as the superuser. */
  query<Row extends pg.QueryResultRow = Record<string, string>>(sql: string): Promise<Row[]> {
    return this.guarded.application.query<Row>(sql);
  }

  /** Names of the log's relations or functions, as SQL names them. */
  async names(what: "relations" | "functions"): Promise<string[]> {
    const rows = await this.query(
      what === "relations"
        ? `select c.oid::regclass::text as name from pg_class c
           where c.relnamespace = 'chronicle'::regnamespace and c.relkind in ('r', 'p') order by 1`
        : `select format('%s(%s)', p.oid::regproc, (
             select string_agg(format('null::%s', format_type(t, null)), ', ' order by n)
             from unnest(p.proargtypes) with ordinality a (t, n))) as name
           from pg_proc p where p.pronamespace = 'chronicle'::regnamespace and p.prokind = 'f' order by 1`,
    );
    return rows.map(({ name }) => name ?? "");
  }

  /** What the attack came to, in words; empty if it was repelled. */
  async outcome({ writes = 0, entries = 0 }: Allowed = {}): Promise<string> {
    const before = this.#before;
    if (before === undefined) throw new Error("begin() comes first.");
    const found: string[] = [];
    for (const [what, canary] of Object.entries(canaries) as [keyof typeof canaries, string][]) {
      if (this.#received.includes(canary) && !mayRead[this.#attacker].includes(what)) found.push(`read: ${what}`);
    }
    const after = await this.#state();
    if (after.recorded !== before.recorded) found.push("changed: what was recorded");
    found.push(...differences(before.made, after.made));
    if (Number(after.events) !== writes) found.push(`forged or lost: ${after.events} events of ${writes} writes`);
    if (Number(after.entries) !== entries) found.push(`forged or lost: ${after.entries} entries, not ${entries}`);
    found.push(...(await this.#goesOn().catch(({ message }: Error) => [`stopped: ${message}`])));
    return found.join("; ");
  }

  /** Whether the log is what the tables are, and the next write is recorded, at once and as what it is. */
  async #goesOn(): Promise<string[]> {
    const owned = eventLog(await this.#opened("owner"));
    const { equal, counts } = await owned.verify();
    if (!equal) return [`misled: ${JSON.stringify(counts)}`];
    const id = `after ${++this.#writes}`;
    const started = performance.now();
    const written = await this.#opened("application");
    try {
      // A save would look for the row first, by an operator that the application's own search_path finds.
      await written.manager.insert("Sample", { id, words: id });
    } catch (error) {
      return [`stopped: ${String(error)}`];
    }
    if (performance.now() - started > 5_000) return ["stopped: a write took more than five seconds"];
    const read = eventLog(await this.#opened("reader"));
    const history = (await read.history("Sample", id)).map(({ action, data, actor }) => [action, data["words"], actor]);
    return JSON.stringify(history) === JSON.stringify([["create", id, null]])
      ? []
      : [`misled: the next write is recorded as ${JSON.stringify(history)}`];
  }

  readonly #open = new Map<keyof Roles, ReturnType<Guarded["open"]>>();
  #opened(role: keyof Roles): ReturnType<Guarded["open"]> {
    const open = this.#open.get(role) ?? this.guarded.open(role);
    this.#open.set(role, open);
    return open;
  }

  async #state(): Promise<State> {
    const { position, entries } = this.#start;
    const given = entries.map((id) => `'${id}'`).join(", ") || "null";
    const digests = Object.entries({
      ...Object.fromEntries(steady.map((table) => [table, "true"])),
      event: `position <= ${position}`,
      event_sensitive: `position <= ${position}`,
      activity: `id in (${given})`,
    }).map(
      ([table, condition]) =>
        `(select md5(string_agg(t::text, '' order by t::text)) from chronicle.${table} t where ${condition})`,
    );
    const [row] = await this.query(
      `select concat_ws(' ', ${digests.join(", ")}) as recorded,
         (select count(*) from chronicle.event where position > ${position}) as events,
         (select count(*) from chronicle.activity where id not in (${given})) as entries,
         (select string_agg(what, E'\\n' order by what) from (${makings}) m (what)) as made`,
    );
    return row as unknown as State;
  }

  async stop(): Promise<void> {
    const { url } = this.guarded.application.database;
    await this.guarded.stop();
    await query(Object.assign(new URL(url), { pathname: "/postgres" }).href, `drop role ${this.writer}`);
  }
}

/** Tables of the log whose rows are another only if the owner installs. */
const steady = "event_late tracked installation bookmark schema_change table_shape commit_marker gate".split(" ");

/** SQL: a line for each thing that the log is made of, and for what hangs on the tracked tables. */
const makings = `
  with log as (
    select oid from pg_class where relnamespace = 'chronicle'::regnamespace
    union all
    select table_oid from chronicle.tracked
  )
  select format('schema %s %s', nspowner, nspacl) from pg_namespace where nspname = 'chronicle'
  union all
  select format('relation %s %s %s %s %s %s', c.oid::regclass, relkind, relowner,
    coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)), relrowsecurity, relreplident)
  from pg_class c join log using (oid)
  union all
  select format('column %s %s %s %s', a.attrelid::regclass, a.attname, a.atttypid, a.attacl)
  from pg_attribute a join log on log.oid = a.attrelid where a.attnum > 0
  union all
  select format('function %s %s %s %s %s', p.oid::regprocedure, proowner, proacl, prosecdef, md5(prosrc))
  from pg_proc p where pronamespace = 'chronicle'::regnamespace
  union all
  select format('trigger %s %s %s %s', tgrelid::regclass, tgname, tgfoid::regproc, tgenabled)
  from pg_trigger t join log on log.oid = t.tgrelid
  union all
  select format('rule %s %s', ev_class::regclass, rulename) from pg_rewrite r join log on log.oid = r.ev_class
  union all
  select format('policy %s %s', polrelid::regclass, polname) from pg_policy p join log on log.oid = p.polrelid
  union all
  select format('constraint %s %s', conrelid::regclass, conname) from pg_constraint c join log on log.oid = c.conrelid
  union all
  select format('reference to %s', confrelid::regclass) from pg_constraint c join log on log.oid = c.confrelid
  union all
  select format('child of %s', inhparent::regclass) from pg_inherits i join log on log.oid = i.inhparent
  union all
  select format('type %s %s %s', t.oid::regtype, typowner, typacl) from pg_type t where typnamespace = 'chronicle'::regnamespace
  union all
  select format('sequence %s %s', seqrelid::regclass, seqincrement) from pg_sequence s join log on log.oid = s.seqrelid
  union all
  select format('published %s', prrelid::regclass) from pg_publication_rel p join log on log.oid = p.prrelid`;

function differences(before: string, after: string): string[] {
  const [old, now] = [before, after].map((text) => new Set(text.split("\n")));
  const changed = [...[...now!].filter((line) => !old!.has(line)), ...[...old!].filter((line) => !now!.has(line))];
  return changed.slice(0, 3).map((line) => `changed: ${line}`);
}
