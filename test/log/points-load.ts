import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { Column, type DataSource, Entity, ManyToOne, PrimaryColumn } from "typeorm";
import { eventLog, type PointInTime, Tracked } from "../../src/index.js";
import { attachmentOf } from "../../src/core/attachment.js";
import { Session, withOwnSession } from "../../src/core/session.js";
import { sql, type Statement } from "../../src/core/sql.js";
import { nameSnapshot } from "../../src/log/bookmark.js";
import { type Cut, inCut } from "../../src/log/cut.js";
import { resolvePoint } from "../../src/log/point-in-time.js";

@Entity()
@Tracked()
class Account {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") balance!: number;
}

@Entity()
@Tracked()
class Parent {
  @PrimaryColumn("integer") id!: number;
}

@Entity()
@Tracked()
class Child {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Parent, { nullable: false }) parent!: Parent;
}

/** Its reference is checked at the commit. */
@Entity()
@Tracked()
class Leaf {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Parent, { nullable: false, deferrable: "INITIALLY DEFERRED" }) parent!: Parent;
}

/** Keys that one transaction lets go and another takes. */
@Entity()
@Tracked()
class Token {
  @PrimaryColumn("integer") key!: number;
  @Column("integer") holder!: number;
}

export const pointsEntities = [Account, Parent, Child, Leaf, Token];
const accounts = 12;
const each = 100;

export interface PointsLoad {
  readonly url: string;
  /** Of an application with the `pointsEntities`. */
  readonly dataSource: DataSource;
  readonly writers: number;
  /** Transactions to try at least. */
  readonly transactions: number;
  /** Random points in the end; bookmarks and points near now are taken on the way. */
  readonly points: number;
  readonly bookmarks: number;
  readonly random: () => number;
  readonly onProgress?: (done: number) => void;
}

/** In how many cuts something was wrong. */
interface Wrong {
  cuts: number;
  torn: number;
  withoutCause: number;
  orphans: number;
  sums: number;
}

export interface PointsCounts {
  readonly committed: number;
  readonly rolledBack: number;
  readonly failed: number;
  readonly ours: Wrong;
  /** Points that came down to something else when they were asked for again in the end. */
  readonly unstable: number;
  readonly bookmarks: number;
  /** Bookmarks that do not give what a repeatable-read reader saw in the same snapshot. */
  readonly bookmarksWrong: number;
  readonly naiveTime: Wrong;
  readonly naivePosition: Wrong;
}

type Rows = Readonly<Record<string, readonly Readonly<Record<string, number>>[]>>;

/**
 * Writers that move money between hot rows, add and remove parents and children, hand keys over and rely on deferred constraints,
 * at three isolation levels, with savepoints and rollbacks. Then every cut must be whole, and the naive ones must not.
 */
export async function pointsLoad(load: PointsLoad): Promise<PointsCounts> {
  const { url, dataSource, writers, random } = load;
  const log = eventLog(dataSource);
  const side = await connected(url);
  await side.query(`insert into account select n, ${each} from generate_series(1, ${accounts}) n`);
  const first = BigInt(await position(side));
  const counts = { committed: 0, rolledBack: 0, failed: 0 };
  let tried = 0;
  let keys = 1_000;

  const write = async () => {
    const client = await connected(url);
    await client.query("set deadlock_timeout = '10ms'"); // hot rows meet in any order
    while (tried++ < load.transactions) {
      try {
        await client.query(
          `begin isolation level ${pick(random, ["read committed", "repeatable read", "serializable"])}`,
        );
        for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
          const isLost = random() < 0.1;
          if (isLost) await client.query("savepoint lost");
          for (const statement of operation(random, () => keys++)) {
            await client.query(statement);
            if (random() < 0.3) await sleep(random() * 4);
          }
          if (isLost) await client.query("rollback to savepoint lost");
        }
        const commits = random() > 0.1;
        await client.query(commits ? "commit" : "rollback");
        counts[commits ? "committed" : "rolledBack"]++;
      } catch {
        counts.failed++; // a deadlock, a serialization failure, a constraint: the writers' own doing
        await client.query("rollback");
      }
    }
    await client.end();
  };

  const saved: { name: string; rows: Rows }[] = [];
  const near: { point: PointInTime; cut: Cut }[] = [];
  const watch = async () => {
    const reader = await connected(url);
    await reader.query("select set_config('search_path', 'public', false)");
    while (tried < load.transactions) {
      if (saved.length < load.bookmarks) {
        const name = `load ${saved.length}`;
        await reader.query("begin isolation level repeatable read");
        await nameSnapshot(new Session(reader, { isNested: true }), attachmentOf(dataSource).schema, name);
        saved.push({ name, rows: await liveRows(reader) });
        await reader.query("commit");
      }
      const point = random() < 0.5 ? new Date() : BigInt(await position(side));
      near.push({
        point,
        cut: await withOwnSession(dataSource, (session) => resolvePoint(session, dataSource, point)),
      });
      await sleep(random() * 40);
    }
    await reader.end();
  };
  await Promise.all([watch(), ...Array.from({ length: writers }, write)]);

  const resolve = (point: PointInTime) =>
    withOwnSession(dataSource, (session) => resolvePoint(session, dataSource, point));
  const last = BigInt(await position(side));
  const randomPosition = () => first + BigInt(Math.floor(random() * Number(last - first + 1n)));
  const [span] = (
    await side.query<{ from: Date; to: Date }>(
      "select min(occurred_at) filter (where position > $1) as from, max(occurred_at) as to from chronicle.event",
      [first],
    )
  ).rows;
  const from = span?.from.getTime() ?? 0;
  const randomTime = () => new Date(from + random() * ((span?.to.getTime() ?? 0) - from));

  const [ours, naiveTime, naivePosition] = [none(), none(), none()];
  for (const { cut } of near) await judge(side, inCut(cut), ours);
  for (let point = 0; point < load.points; point++) {
    const [at, time] = [randomPosition(), randomTime()];
    await judge(side, inCut(await resolve(at)), ours);
    await judge(side, inCut(await resolve(time)), ours);
    await judge(side, sql`e.position <= ${at}`, naivePosition);
    await judge(side, sql`e.occurred_at < ${time.toISOString()}::timestamptz + interval '1 ms'`, naiveTime);
    load.onProgress?.(point + 1);
  }
  let unstable = 0;
  for (const { point, cut } of near) {
    const [before, now] = [await foldOf(side, inCut(cut)), await foldOf(side, inCut(await resolve(point)))];
    if (JSON.stringify(before) !== JSON.stringify(now)) unstable++;
  }
  let bookmarksWrong = 0;
  for (const { name, rows } of saved) {
    const fold = await foldOf(side, inCut(await resolve({ bookmark: name })));
    if (JSON.stringify(fold) !== JSON.stringify(rows)) bookmarksWrong++;
  }
  // And through the library's own fold, for some.
  for (const { name, rows } of saved.slice(0, 3)) {
    const shadow = await log.shadow({ bookmark: name }, { schema: "points_load" });
    await side.query("set search_path = points_load");
    if (JSON.stringify(await liveRows(side)) !== JSON.stringify(rows)) bookmarksWrong++;
    await side.query("reset search_path");
    await shadow.drop();
  }
  await side.end();
  return { ...counts, ours, unstable, bookmarks: saved.length, bookmarksWrong, naiveTime, naivePosition };
}

/** What one step of a transaction does. */
function operation(random: () => number, newKey: () => number): string[] {
  const some = (below: number) => 1 + Math.floor(random() * below);
  const [one, other] = [some(accounts), some(accounts)];
  const parent = some(30);
  const kind = random();
  if (kind < 0.5) {
    return [
      `update account set balance = balance - 5 where id = ${one}`,
      `update account set balance = balance + 5 where id = ${other}`,
    ];
  }
  if (kind < 0.62) {
    const key = newKey();
    return [
      `insert into parent values (${parent}) on conflict do nothing`,
      `insert into child select ${key}, id from parent where id = ${parent}`,
    ];
  }
  if (kind < 0.72) {
    return [
      `delete from child where "parentId" = ${parent}`,
      `delete from leaf where "parentId" = ${parent}`,
      `delete from parent where id = ${parent}`,
    ];
  }
  if (kind < 0.82) {
    // The parent may be there, may come from another transaction before the commit, or may not.
    return random() < 0.6
      ? [`insert into leaf values (${newKey()}, ${parent})`]
      : [`insert into parent values (${parent}) on conflict do nothing`];
  }
  return random() < 0.5
    ? [`delete from token where key = ${some(8)}`]
    : [`insert into token values (${some(8)}, ${newKey()}) on conflict do nothing`];
}

async function judge(client: pg.Client, cut: Statement, wrong: Wrong): Promise<void> {
  wrong.cuts++;
  const { rows } = await client.query<{ torn: boolean; causeless: boolean }>(
    `with e as (select e.*, ${cut.text} as inside from chronicle.event e)
     select exists (select from e group by epoch, transaction_id having bool_or(inside) and not bool_and(inside)) as torn,
       exists (select from e where inside group by table_name, record_key
         having string_agg(left(action, 1), '' order by position) !~ '^(cu*d)*(cu*)?$') as causeless`,
    [...cut.values],
  );
  if (rows[0]?.torn) wrong.torn++;
  if (rows[0]?.causeless) wrong.withoutCause++;
  const fold = await foldOf(client, cut);
  const parents = new Set(fold["parent"]?.map(({ id }) => id));
  const children = [...(fold["child"] ?? []), ...(fold["leaf"] ?? [])];
  if (children.some(({ parentId }) => !parents.has(parentId))) wrong.orphans++;
  const sum = (fold["account"] ?? []).reduce((total, { balance = 0 }) => total + balance, 0);
  if (sum !== accounts * each) wrong.sums++;
}

const tables = ["account", "child", "leaf", "parent", "token"];

/** What the events of a cut come to, by plain SQL: nothing of the library's fold takes part. */
async function foldOf(client: pg.Client, cut: Statement): Promise<Rows> {
  const { rows } = await client.query<{ name: string; rows: Record<string, number>[] }>(
    `with e as materialized (select * from chronicle.event e where ${cut.text}),
     life as (
       select table_name, record_key, max(position) filter (where action = 'create') as born, max(position) filter (where action = 'destroy') as died
       from e group by table_name, record_key
     ),
     row as (
       select e.table_name, e.record_key, jsonb_object_agg(d.key, d.value order by e.position) as row
       from e join life l using (table_name, record_key) cross join jsonb_each(e.data) d
       where e.position >= l.born and (l.died is null or l.died < l.born)
       group by e.table_name, e.record_key
     )
     select split_part(table_name, '.', 2) as name, jsonb_agg(row order by record_key collate "C") as rows from row group by 1`,
    [...cut.values],
  );
  return Object.fromEntries(tables.map((table) => [table, rows.find(({ name }) => name === table)?.rows ?? []]));
}

async function liveRows(client: pg.Client): Promise<Rows> {
  const found: [string, Record<string, number>[]][] = [];
  for (const table of tables) {
    const key = table === "token" ? "key" : "id";
    const { rows } = await client.query<{ rows: Record<string, number>[] }>(
      `select coalesce(jsonb_agg(to_jsonb(t.*) order by t.${key}::text collate "C"), '[]') as rows from ${table} t`,
    );
    found.push([table, rows[0]?.rows ?? []]);
  }
  return Object.fromEntries(found);
}

/** The last position, that of a commit marker too: before it, its transaction is not in a cut. */
async function position(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ position: string }>(
    "select greatest((select max(position) from chronicle.event), (select max(position) from chronicle.commit_marker)) as position",
  );
  return rows[0]?.position ?? "0";
}

function none(): Wrong {
  return { cuts: 0, torn: 0, withoutCause: 0, orphans: 0, sums: 0 };
}

function pick<T>(random: () => number, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}
