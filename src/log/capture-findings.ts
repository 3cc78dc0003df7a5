import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import type { Capture } from "../core/options.js";
import type { Session, TextRow } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { Finding } from "./finding.js";
import { heirsOf, heirsSentence } from "./heirs.js";
import { hiddenRows, type HiddenRows, hiding } from "./hidden-rows.js";
import { trackedTables } from "./tracked-tables.js";

/**
 * What came over the tracked tables since the last install, or keeps triggers from firing: nothing that a write is
 * refused for. For a role that may not read what is tracked it finds only what the catalogs say.
 */
export async function captureFindings(
  session: Session,
  dataSource: DataSource,
  { readable }: { readable: boolean },
): Promise<Finding[]> {
  const { schema, options } = attachmentOf(dataSource);
  const tables = trackedTables(dataSource).map(({ entity, sqlName, tableName }) => ({ entity, sqlName, tableName }));
  const expected = sql`jsonb_to_recordset(${JSON.stringify(tables)}::jsonb) as e (entity text, "sqlName" text)
    join lateral (select to_regclass(e."sqlName") as oid) o on o.oid is not null`;
  // Partitions are read by their own names where TRUNCATE is captured.
  const hidden = await hiddenRows(
    session,
    sql`select e.entity, r.oid
      from ${expected} cross join lateral (
        select o.oid::oid
        union
        select t.relid from pg_partition_tree(o.oid) t where t.isleaf and ${options.capture}::text = 'trigger') r (oid)`,
    sql`(select n.nspowner from pg_namespace n where n.nspname = ${options.schema})`,
  );
  const changed = readable
    ? await session.rows(sql`
      select e.entity, t.table_name as "tableName", nullif(${raw(schema)}.table_name(o.oid), t.table_name) as renamed,
        (select string_agg(c.name, ', ' order by c.number)
         from jsonb_to_recordset(t.columns) as c (name text, number smallint)
         where not exists (select from ${raw(schema)}.columns(o.oid) n where n.name = c.name)) as gone,
        (select string_agg(n.name, ', ' order by n.number)
         from ${raw(schema)}.columns(o.oid) n
         where not exists (
           select from jsonb_to_recordset(t.columns) as c (name text)
           where c.name = n.name)) as added,
        case when not ${raw(schema)}.is_followed(t) then 'yes' end as changed,
        case
          when t.unfinished is null then null
          when not ${raw(schema)}.is_own(o.oid) then 'that would run code of another role'
          when e.entity = any (${hidden.map(({ name }) => name)}::text[]) then 'row level security hides rows of it'
          else 'an install was stopped'
        end as unfinished,
        case when t.capture = 'trigger' and t.level = 'statement' and ${raw(schema)}.level_of(o.oid) = 'row' then 'row' end as level,
        (select string_agg(distinct u.relation::text, ', ') from ${raw(schema)}.unfit_triggers(o.oid, t.id, t.capture) u
         where u.relation <> o.oid
         and (u.problem <> 'unfit' or exists (
           select from ${raw(schema)}.stray_triggers() s where s.relation = u.relation and s.name = u.name))) as partitions
      from ${expected} join ${raw(schema)}.tracked t on t.table_oid = o.oid order by e.entity`)
    : [];
  const stray = readable
    ? await session.rows(sql`
      select t.entity, t.table_name as "tableName", string_agg(distinct s.relation::text, ', ') as relations
      from ${raw(schema)}.stray_triggers() s left join ${raw(schema)}.tracked t on t.id = s.tracked_id
      group by 1, 2
      order by 1`)
    : [];
  const fed = await session.rows(sql`
    select e.entity, o.oid::text as "tableName", string_agg(distinct quote_ident(s.subname), ', ') as subscriptions
    from ${expected}
    join pg_subscription_rel r on r.srrelid = o.oid or r.srrelid in (select relid from pg_partition_tree(o.oid))
    join pg_subscription s on s.oid = r.srsubid and s.subenabled
    group by 1, 2
    order by 1`);
  const rules = await session.rows(sql`
    select e.entity, o.oid::text as "tableName", string_agg(quote_ident(r.rulename), ', ' order by r.rulename) as rules
    from ${expected} join pg_rewrite r on r.ev_class = o.oid or r.ev_class in (select relid from pg_partition_tree(o.oid)) where r.ev_type <> '1'
    group by 1, 2 order by 1`);
  const replica = await session.rows(sql`
    select 'This session' as who where current_setting('session_replication_role') = 'replica'
    union all
    select case when s.setrole = 0 then 'The database ' || d.datname else 'The role ' || pg_get_userbyid(s.setrole) end
    from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
    where 'session_replication_role=replica' = any (s.setconfig) and (s.setdatabase = 0 or d.datname = current_database())`);
  return [
    ...changed.flatMap(changes),
    ...stray.map(left),
    ...hidden.map((rows) => hiddenFrom(options.capture, rows)),
    ...rules.map(rewritten),
    ...(await heirsOf(session, tables)).map(inherited),
    ...(options.capture === "trigger" ? [...replica.map(silenced), ...fed.map(replicated)] : []),
  ];
}

function changes(row: TextRow): Finding[] {
  const { entity, tableName, renamed, gone, added, changed, unfinished, level, partitions } = row;
  const of = `${entity} (${tableName})`;
  const stale = (severity: Finding["severity"], message: string): Finding => ({
    code: "INSTALL_STALE",
    severity,
    message,
  });
  return [
    ...(renamed ? [stale("error", `The table of ${of} was renamed to ${renamed} since the last install.`)] : []),
    ...(gone ? [stale("warning", `The log knows columns that ${of} no longer has: ${gone}.`)] : []),
    ...(added
      ? [stale("warning", `${of} has new columns, kept apart as sensitive until the next install: ${added}.`)]
      : []),
    ...(unfinished
      ? [stale("warning", `What a migration did to rows of ${of} is not recorded yet: ${unfinished}.`)]
      : []),
    ...(changed && !renamed && !gone && !added && !unfinished
      ? [stale("warning", `${of} changed since the last install: until the next one, its rows cannot be rebuilt.`)]
      : []),
    ...(level
      ? [
          stale(
            "error",
            `${of} has to be captured row by row since the last install: it got AFTER ROW triggers, whose writes may be recorded out of order, or is partitioned and got a computed column, or became a part of another table.`,
          ),
        ]
      : []),
    ...(partitions ? [stale("error", `Partitions of ${of} lack capture triggers: ${partitions}.`)] : []),
  ];
}

function left({ entity, tableName, relations }: TextRow): Finding {
  const message = `Tables that are not part of ${entity} (${tableName}) any more have its capture triggers, which record nothing: ${relations}.`;
  return { code: "INSTALL_STALE", severity: "warning", message };
}

function inherited(row: TextRow): Finding {
  return { code: "CAPTURE_IMPAIRED", severity: "error", message: heirsSentence(row) };
}

function replicated({ entity, tableName, subscriptions }: TextRow): Finding {
  const message = `A subscription writes to ${entity} (${tableName}) by logical replication, which fires no capture trigger: ${subscriptions}.`;
  return { code: "CAPTURE_IMPAIRED", severity: "error", message };
}

function hiddenFrom(capture: Capture, rows: HiddenRows): Finding {
  const refused =
    capture === "subscriber"
      ? "Writes are refused, because capture by the subscriber reads what they wrote"
      : "What would read them is refused, such as verify, replay and TRUNCATE";
  const message = `${rows.name}: ${hiding(rows)}, and that role owns the log. ${refused}.`;
  return { code: "ROWS_HIDDEN", severity: capture === "subscriber" ? "error" : "warning", message };
}

function rewritten({ entity, tableName, rules }: TextRow): Finding {
  const message = `${entity} (${tableName}) has rules, which rewrite what a replay writes too: ${rules}.`;
  return { code: "CAPTURE_IMPAIRED", severity: "warning", message };
}

function silenced({ who }: TextRow): Finding {
  const message = `${who} has session_replication_role set to replica: no trigger fires, so nothing is recorded.`;
  return { code: "CAPTURE_IMPAIRED", severity: "error", message };
}
