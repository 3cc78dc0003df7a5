/**
 * Keeps the log append-only, for its owner too, and a shadow as it was made. An erasure changes what is stored of one
 * record, and retention ends entries: the log's own code marks its transaction for that. The mark alone permits nothing:
 * anybody can set it, so the role must also own the table. Nobody else has a right with the option to grant it, which an
 * owner has whatever is granted or revoked; a role's name here would be another after a restore.
 */
export const refuseChange = (s: string): string => `-- version: 3
create or replace function ${s}.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if TG_OP <> 'TRUNCATE' and has_table_privilege(TG_RELID, 'TRIGGER WITH GRANT OPTION')
    and current_setting('chronicle.permitted', true) = pg_current_xact_id_if_assigned()::text
  then return null; end if;
  raise exception '% on %.% is refused: %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME,
    coalesce(TG_ARGV[0], 'the event log is append-only') using errcode = 'CH004', hint = coalesce(TG_ARGV[1], '');
end $$;
`;

/** Tables that nobody changes, the owner included. */
const appendOnly = ["event", "event_sensitive", "event_late", "bookmark", "activity"];

/**
 * Puts the guards on one table of the log, or on all of them: one against everybody who does not own it, such as members
 * of pg_write_all_data, and one against changes of what was recorded.
 */
export const putGuards = (s: string): string => `-- version: 1
create or replace function ${s}.put_guards(of regclass default null) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  guarded regclass;
begin
  for guarded in
    select c.oid
    from pg_class c
    where c.relnamespace = '${s}'::regnamespace and c.relkind in ('r', 'p') and (of is null or c.oid = of)
  loop
    execute format(
      'create or replace trigger guarded before insert or update or delete or truncate on %s for each statement '
      'when (not has_table_privilege(%L::regclass, ''TRIGGER WITH GRANT OPTION'')) '
      'execute function ${s}.refuse_change(''only the log itself writes here'')', guarded, guarded);
  end loop;
  for guarded in
    select c.oid
    from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid
    where c.relnamespace = '${s}'::regnamespace and (of is null or c.oid = of)
    and c.relkind in ('r', 'p')
    and (c.relname in (${appendOnly.map((name) => `'${name}'`).join(", ")}) or i.inhparent = '${s}.event'::regclass or c.oid = of)
  loop
    execute format(
      'create or replace trigger append_only before update or delete or truncate on %s for each statement '
      'execute function ${s}.refuse_change(%s)', guarded,
      case guarded
        when '${s}.activity'::regclass
        then '''the activity log is append-only'', ''Entries end by retention: activity.cleanup().'''
        when '${s}.bookmark'::regclass then '''a bookmark is never moved'''
        else ''
      end);
  end loop;
end $$;
`;
