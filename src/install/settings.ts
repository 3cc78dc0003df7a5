import { latestStep } from "../../entities/steps/index.js";
import type { Attachment } from "../core/attachment.js";
import { type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/**
 * What the database is told of the options, in the one row of `installation` and in limits that it enforces. Each table is changed
 * only where it has to be: that waits for every open transaction that writes events.
 */
export async function putSettings(
  session: Session,
  { options, schema, activityRetentionDays }: Attachment,
  fingerprint: string,
): Promise<void> {
  await session.rows(sql`
    insert into ${raw(schema)}.installation as i (step, fingerprint, system_identifier, lock_arguments, require_actor, activity_retention_days)
    select ${latestStep}::integer, ${fingerprint}, system_identifier::text,
      coalesce(${options.lockArguments}, hashtextextended(current_database() || '.' || ${options.schema}, 0)::text), ${options.requireActor}::boolean, ${activityRetentionDays}::double precision
    from pg_control_system()
    on conflict (only_row) do update set step = greatest(i.step, excluded.step), fingerprint = excluded.fingerprint,
      epoch = i.epoch + (i.system_identifier <> excluded.system_identifier)::integer, system_identifier = excluded.system_identifier,
      lock_arguments = excluded.lock_arguments, require_actor = excluded.require_actor, activity_retention_days = excluded.activity_retention_days, installed_at = clock_timestamp()`);
  await putEpoch(session, schema);
  await putDataLimit(session, schema, options.limits.dataBytes);
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

async function putDataLimit(session: Session, schema: string, bytes: number): Promise<void> {
  const found = await session.row(sql`
    select exists (select from pg_constraint where conrelid = ${`${schema}.event`}::regclass and conname = 'event_data_limit'
        and pg_get_constraintdef(oid) like ${`%<= ${bytes})%`}) as shown,
      exists (select from pg_trigger where tgrelid = ${`${schema}.event_sensitive`}::regclass and tgname = 'data_limit'
        and pg_get_triggerdef(oid) like ${`%> ${bytes})%`}) as hidden`);
  if (found?.shown !== "t") {
    await session.run(`
      alter table ${schema}.event drop constraint if exists event_data_limit;
      alter table ${schema}.event add constraint event_data_limit check (pg_column_size(data) + pg_column_size(previous) <= ${bytes}) not valid`);
  }
  if (found?.hidden !== "t") {
    await session.run(`
      create or replace trigger data_limit before insert on ${schema}.event_sensitive for each row
      when (pg_column_size(new.data) + pg_column_size(new.previous) > ${bytes}) execute function ${schema}.refuse_size()`);
  }
}
