import { latestStep } from "../../entities/steps/index.js";
import type { Attachment } from "../core/attachment.js";
import { type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/**
 * What the database is told of the options, in the one row of `installation`. The default of `epoch` is changed only where it
 * has to be: that waits for every open transaction that writes events.
 */
export async function putSettings(
  session: Session,
  { options, schema, activityRetentionDays }: Attachment,
  fingerprint: string,
): Promise<void> {
  await session.rows(sql`
    insert into ${raw(schema)}.installation as i (step, fingerprint, system_identifier, lock_arguments, require_actor, data_limit, activity_retention_days)
    select ${latestStep}::integer, ${fingerprint}, system_identifier::text,
      coalesce(${options.lock.arguments}, hashtextextended(current_database() || '.' || ${options.schema}, 0)::text), ${options.requireActor}::boolean, ${options.limits.dataBytes}::integer, ${activityRetentionDays}::double precision
    from pg_control_system()
    on conflict (only_row) do update set step = greatest(i.step, excluded.step), fingerprint = excluded.fingerprint,
      epoch = i.epoch + (i.system_identifier <> excluded.system_identifier)::integer, system_identifier = excluded.system_identifier,
      lock_arguments = excluded.lock_arguments, require_actor = excluded.require_actor, data_limit = excluded.data_limit, activity_retention_days = excluded.activity_retention_days, installed_at = clock_timestamp()`);
  await putEpoch(session, schema);
}

async function putEpoch(session: Session, schema: string): Promise<void> {
  const rows = await session.rows(sql`
    select i.epoch, a.attrelid::regclass as table
    from ${raw(schema)}.installation i
    join pg_attribute a on a.attname = 'epoch'
      and a.attrelid in (${`${schema}.event`}::regclass, ${`${schema}.bookmark`}::regclass, ${`${schema}.commit_marker`}::regclass)
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where pg_get_expr(d.adbin, d.adrelid) is distinct from i.epoch::text`);
  for (const { epoch, table } of rows)
    await session.run(`alter table ${table} alter column epoch set default ${Number(epoch)}`);
}
