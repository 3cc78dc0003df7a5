/** How much older than its transaction a signature may be, and how far ahead the clock of who signed it, in seconds. */
const mostSeconds = 60;

/**
 * What was sent, if a key of the log signed it for this server's process, lately; src/core/signed-context.ts writes it.
 * Where the log has no key: what was sent. Where it has one, an unsigned context counts as none: who is not believed,
 * and the event's metadata says why. A transaction may last long, its signature was young when it began.
 */
export const readSigned = (s: string): string => `-- version: 1
create or replace function ${s}.read_signed(sent text) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  context text := split_part(sent, '.', 1);
  key_id text := split_part(sent, '.', 2);
  at text := split_part(sent, '.', 3);
  process text := split_part(sent, '.', 4);
  signature text := split_part(sent, '.', 5);
  signed_at numeric := case when at ~ '^[0-9]{1,15}$' then at::numeric / 1000 end;
  key ${s}.context_key;
  known boolean;
  fault text;
begin
  select * into key from ${s}.context_key where id = key_id;
  known := found;
  if not known and not exists (select from ${s}.context_key) then
    return case when sent <> '' then ${s}.read_context(sent) end;
  end if;
  if coalesce(sent, '') = '' then return null; end if;
  fault := case
    when key_id = '' then 'is not signed'
    when not known then 'is signed with a key that the log does not know'
    when signature is distinct from encode(sha256(key.outer_pad || sha256(key.inner_pad
      || convert_to(concat_ws('.', context, key_id, at, process), 'UTF8'))), 'hex')
      or signed_at is null then 'has a wrong signature'
    when process <> '' and process <> pg_backend_pid()::text then 'was signed for another connection'
    when signed_at < extract(epoch from transaction_timestamp()) - ${mostSeconds}
      then 'was signed more than ${mostSeconds} s before its transaction'
    when signed_at > extract(epoch from clock_timestamp()) + ${mostSeconds} then 'was signed by a clock that is ahead'
  end;
  return case
    when fault is null then ${s}.read_context(context) || jsonb_build_object('signedBy', key_id)
    else jsonb_build_object('metadata', jsonb_build_object('chronicle', 'the request context ' || fault))
  end;
end $$;
`;

/** The names of the keys: what is signed with another one is not believed. */
export const contextKeys = (s: string): string => `-- version: 1
create or replace function ${s}.context_keys() returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(id order by id), '{}') from ${s}.context_key
$$;
`;
