/** How much older than its transaction a signature may be, and how far ahead the clock of who signed it, in seconds. */
const mostSeconds = 60;

/**
 * Reads what was sent, and checks its signature if the log has a key; src/core/signed-context.ts makes it. A context
 * that is not believed counts as none, and the event's metadata says why. A signature must not be older than its
 * transaction by more than a minute. One for any connection must not be older than its statement by more than that:
 * otherwise it could be used again as long as a transaction stays open.
 */
export const readSigned = (s: string): string => `-- version: 2
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
    when process = '' and signed_at < extract(epoch from statement_timestamp()) - ${mostSeconds}
      then 'was signed more than ${mostSeconds} s before its statement'
    when signed_at > extract(epoch from clock_timestamp()) + ${mostSeconds} then 'was signed by a clock that is ahead'
  end;
  return case
    when fault is null then ${s}.read_context(context) || jsonb_build_object('signedBy', key_id)
    else jsonb_build_object('metadata', jsonb_build_object('chronicle', 'the request context ' || fault))
  end;
end $$;
`;

/** PL/pgSQL that refuses a write on a table, given as an expression, whose `context` is not signed. */
export const refuseUnsigned = (table: string): string => `if context ->> 'signedBy' is null then
    raise exception 'a tracked write on % needs a request context that is signed: %', ${table},
      coalesce(context #>> '{metadata,chronicle}', 'it has none') using errcode = 'CH008';
  end if;`;

/**
 * Whether what was sent is believed: { signedBy }, or { fault } with the reason; neither if the log has no key. Anybody
 * who may write can find that out by writing.
 */
export const trySignature = (s: string): string => `-- version: 1
create or replace function ${s}.try_signature(sent text) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'signedBy', c.context -> 'signedBy', 'fault', c.context #> '{metadata,chronicle}'))
  from ${s}.read_signed(sent) as c (context)
$$;
`;
