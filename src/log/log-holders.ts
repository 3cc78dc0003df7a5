import { isLockOnKey } from "../../entities/functions/is-lock-on-key.js";
import type { Session, TextRow } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { Finding } from "./finding.js";

/** What a session does that others of the log wait for. */
export type Hold =
  /** Holds the log's lock: every write waits. */
  | "exclusive lock"
  /** Holds it in shared mode: exclusive writers wait, and replays. */
  | "shared lock"
  /** It waits for the lock itself; behind one that waits for it exclusively, shared ones wait too. */
  | "waiting"
  /** It has written events and may still take them back: points in time near now wait. */
  | "open writes";

/** A session, or a prepared transaction, that makes writers or readers of the log wait. */
export interface LogHolder {
  /** Of the server's process; null for a prepared transaction. */
  readonly pid: number | null;
  readonly user: string | null;
  readonly applicationName: string | null;
  /** As pg_stat_activity has it, or "prepared"; null where this role may not see it. */
  readonly state: string | null;
  /** Since when at least; null where this role may not see it. */
  readonly since: Date | null;
  readonly what: readonly Hold[];
  /**
   * Certainly no writer of the log: it holds the lock without a transaction, or exclusively although it may not record.
   */
  readonly isStray: boolean;
}

/** Writes of an application rarely take so long: what holds on for longer is worth a look. */
const noticedAfterMs = 60_000;

/**
 * Sessions that make others wait, the longest first: for longer than a minute, or for a time that this role may not
 * see. A session that is no writer of the log is listed at once. Holders of keys from `lock.keyFor` are not, because
 * the log does not know these keys. To be called inside a snapshot.
 */
export async function logHolders(
  session: Session,
  schema: string,
  { afterMs = noticedAfterMs }: { afterMs?: number } = {},
): Promise<LogHolder[]> {
  const found = await look(session, schema, afterMs);
  if (!found.some(({ isStray }) => isStray)) return found;
  // A transaction that is just ending looks like none for a moment.
  const still = new Set((await look(session, schema, afterMs)).flatMap(({ pid, isStray }) => (isStray ? [pid] : [])));
  return found.filter(({ pid, isStray }) => !isStray || still.has(pid));
}

async function look(session: Session, schema: string, afterMs: number): Promise<LogHolder[]> {
  const s = raw(schema);
  const rows = await session.rows(sql`
    with locks as materialized (
      select l.*, ${raw(isLockOnKey("i.key"))} as is_of_log
      from (select string_to_array(lock_arguments, ', ')::bigint[] as key from ${s}.installation) i
      cross join pg_locks l
    ),
    holds as (
      select l.pid, l.virtualtransaction as place, l.waitstart,
        case
          when not l.granted then 'waiting'
          when l.mode = 'ExclusiveLock' then 'exclusive lock'
          else 'shared lock'
        end as what
      from locks l
      where l.is_of_log
      union
      select l.pid, l.virtualtransaction, null, 'open writes'
      from locks l
      where l.locktype = 'relation' and l.relation = to_regclass(${`${schema}.event`}) and l.mode = 'RowExclusiveLock'
        and l.granted and l.database = (select d.oid from pg_database d where d.datname = current_database())
    ),
    seen as (
      select h.*, coalesce(a.usename, p.owner) as role, a.application_name,
        case when p.owner is null then a.state else 'prepared' end as state,
        coalesce(h.waitstart, p.prepared, a.xact_start, a.state_change) as since,
        h.what in ('exclusive lock', 'shared lock') and h.place like '%/0'
          or h.what = 'exclusive lock'
          and not coalesce(has_function_privilege(coalesce(a.usename, p.owner), f.oid, 'execute'), true) as stray
      from holds h
      left join pg_stat_activity a on a.pid = h.pid
      left join locks t on h.pid is null and t.pid is null
        and t.locktype = 'transactionid' and t.virtualtransaction = h.place
      left join pg_prepared_xacts p on p.transaction = t.transactionid
      left join pg_proc f on f.pronamespace = to_regnamespace(${schema}) and f.proname = 'lock_log'
    )
    select s.pid, s.role, s.application_name, s.state, bool_or(s.stray) as stray,
      extract(epoch from min(s.since)) * 1000 as since,
      to_jsonb(array_agg(s.what order by s.what)) as what
    from seen s
    group by s.pid, s.place, s.role, s.application_name, s.state
    having bool_or(s.stray
      or s.since <= clock_timestamp() - make_interval(secs => ${afterMs / 1_000}::double precision)
      or s.since is null and (
        s.what = 'exclusive lock'
        or s.what = 'shared lock' and exists (select from holds w where w.what = 'waiting')))
    order by min(s.since), s.pid`);
  return rows.map(holderOf);
}

function holderOf({ pid, role, application_name, state, since, stray, what }: TextRow): LogHolder {
  return {
    pid: pid == null ? null : Number(pid),
    user: role ?? null,
    applicationName: application_name ?? null,
    state: state ?? null,
    since: since == null ? null : new Date(Math.floor(Number(since))),
    what: JSON.parse(what ?? "[]") as Hold[],
    isStray: stray === "t",
  };
}

/** Sessions that hold the log's lock, and are no writers of the log. */
export function strayFindings(holders: readonly LogHolder[]): Finding[] {
  return holders
    .filter(({ isStray }) => isStray)
    .map(({ pid, user, what }) => {
      const who = pid === null ? "A prepared transaction" : `Process ${pid}`;
      return {
        code: "LOG_LOCKED",
        severity: "warning",
        message: `${who} of ${user} holds the log's lock (${what.join(", ")}), and is no writer of the log.`,
        hint:
          "End it, and let only those connect who have to (docs/hardening.md); " +
          "if it uses that key for something else, give the log another one (`lock.key`).",
      };
    });
}
