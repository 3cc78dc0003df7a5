import { latestStep } from "../../entities/steps/index.js";
import type { Attachment } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { numberOf, type Session } from "../core/session.js";
import { paddedKeys } from "../core/signed-context.js";
import { raw, sql } from "../core/sql.js";

/**
 * What the database is told of the options, in the one row of `installation`. The default of `epoch` is changed only where it
 * has to be: that waits for every open transaction that writes events.
 */
export async function putSettings(
  session: Session,
  attachment: Attachment,
  { fingerprint, accepted }: { readonly fingerprint: string; readonly accepted: readonly string[] },
): Promise<void> {
  const { options, schema, activityRetentionDays } = attachment;
  await session.rows(sql`
    insert into ${raw(schema)}.installation as i (
      step, fingerprint, system_identifier, lock_arguments, lock_timeout_ms, require_actor, require_signed, data_limit,
      activity_retention_days, accepted_owners)
    select ${latestStep}::integer, ${fingerprint}, system_identifier::text,
      coalesce(${options.lock.arguments}, hashtextextended(current_database() || '.' || ${options.schema}, 0)::text),
      ${options.lock.timeoutMs ?? null}::integer, ${options.requireActor}::boolean,
      coalesce(${options.context.requireSigned ?? null}::boolean, false), ${options.limits.dataBytes}::integer,
      ${activityRetentionDays}::double precision, ${JSON.stringify(accepted)}::jsonb
    from pg_control_system()
    on conflict (only_row) do update set step = greatest(i.step, excluded.step), fingerprint = excluded.fingerprint,
      epoch = i.epoch + (i.system_identifier <> excluded.system_identifier)::integer,
      system_identifier = excluded.system_identifier, lock_arguments = excluded.lock_arguments,
      lock_timeout_ms = excluded.lock_timeout_ms, require_actor = excluded.require_actor,
      require_signed = coalesce(
        ${options.context.requireSigned ?? null}::boolean,
        i.require_signed and ${options.context.keys.length > 0}::boolean),
      data_limit = excluded.data_limit,
      activity_retention_days = excluded.activity_retention_days, accepted_owners = excluded.accepted_owners,
      installed_at = clock_timestamp()`);
  await putKeys(session, attachment);
  await putEpoch(session, schema);
}

/** Whether the log has these keys and no others. */
export async function hasKeys(session: Session, { schema, options }: Attachment): Promise<boolean> {
  const keys = options.context.keys.map(({ id, secret }) => ({ id, pad: paddedKeys(secret).inner.toString("hex") }));
  const row = await session.row(sql`
    select count(*) filter (where k.inner_pad = decode(given.pad, 'hex')) as same, count(*) as all
    from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb) as given (id text, pad text)
    full join ${raw(schema)}.context_key k on k.id = given.id`);
  return numberOf(row, "same") === keys.length && numberOf(row, "all") === keys.length;
}

/**
 * Keys that are not named any more sign nothing from now on. Throws OPTIONS_INVALID if none is named, and that was not
 * asked for: from then on anybody would be believed.
 */
async function putKeys(session: Session, { schema, options }: Attachment): Promise<void> {
  const { keys, endsSigning } = options.context;
  const row = await session.row(sql`select string_agg(id, ', ' order by id) as known from ${raw(schema)}.context_key`);
  if (keys.length === 0 && !endsSigning && row?.known != null)
    throw new EventLogError(
      "OPTIONS_INVALID",
      `The log believes request contexts that are signed (${row.known}), and these options have no context.key.`,
      { hint: "Give `context.key`, or `context: { key: false }` to believe contexts that nobody signed." },
    );
  await session.rows(sql`delete from ${raw(schema)}.context_key where id <> all (${keys.map(({ id }) => id)}::text[])`);
  for (const { id, secret } of keys) {
    const { inner, outer } = paddedKeys(secret);
    await session.rows(sql`
      insert into ${raw(schema)}.context_key as k (id, inner_pad, outer_pad)
      values (${id}, decode(${inner.toString("hex")}, 'hex'), decode(${outer.toString("hex")}, 'hex'))
      on conflict (id) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad`);
  }
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
