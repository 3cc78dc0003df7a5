/** How much older than its transaction a signature may be, and how far ahead the clock of who signed it, in seconds. */
const mostSeconds = 60;

const [keyId, milliseconds, process] = [2, 3, 4].map((number) => `split_part(sent, '.', ${number})`);
/** Without the condition, a plan for this very text could fail at the cast. */
const signedAt = `case when ${milliseconds} ~ '^[0-9]{1,15}$' then ${milliseconds}::float8 / 1000 end`;
/** The last part is the signature of all before it: 64 hexadecimal digits. */
const unsigned = "left(sent, -65)";
const isRight = `sent = concat(
      ${unsigned}, '.',
      encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(${unsigned}, 'UTF8'))), 'hex'))`;
const isForThisConnection = `${process} in ('', pg_backend_pid()::text)`;
const since = `date_part('epoch', case when ${process} = '' then statement_timestamp() else transaction_timestamp() end)`;
const oldest = `${since} - ${mostSeconds}`;
const newest = `date_part('epoch', clock_timestamp()) + ${mostSeconds}`;

/**
 * PL/pgSQL that declares `context`: what was `sent`, if a key of the log signed it; src/core/signed-context.ts does that. A
 * signature must not be older than its transaction by more than a minute. One for any connection must not be older than
 * its statement by more than that: otherwise it could be used again as long as a transaction stays open. Text, because a
 * call of a function would take longer than all of it, and short, because each transaction prepares it anew.
 */
export const signedContext = (s: string): string => `
  believed boolean := sent <> '' and (
    select ${isRight} and ${isForThisConnection} and ${signedAt} between ${oldest} and ${newest}
    from ${s}.context_key k
    where k.id = ${keyId});
  context jsonb := case
    when believed then ${s}.read_context(sent) || jsonb_build_object('signedBy', ${keyId})
    when sent <> '' then ${s}.unbelieved_context(sent)
  end;`;

/** A context that is not believed counts as none, and the event's metadata says why. */
export const unbelievedContext = (s: string): string => `-- version: 1
create or replace function ${s}.unbelieved_context(sent text) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('metadata', jsonb_build_object('chronicle', 'the request context ' || case
    when ${keyId} = '' then 'is not signed'
    when k.id is null then 'is signed with a key that the log does not know'
    when not ${isRight} then 'has a wrong signature'
    when not ${isForThisConnection} then 'was signed for another connection'
    when ${signedAt} > ${newest} then 'was signed by a clock that is ahead'
    else 'was signed more than ${mostSeconds} s before its '
      || case when ${process} = '' then 'statement' else 'transaction' end
  end))
  from (select) one left join ${s}.context_key k on k.id = ${keyId}
$$;
`;

/** What was sent, read: as it is where the log has no key. */
export const readSigned = (s: string): string => `-- version: 3
create or replace function ${s}.read_signed(sent text) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(sent, '') = '' then return null; end if;
  if not exists (select from ${s}.context_key) then return ${s}.read_context(sent); end if;
  declare${signedContext(s).replaceAll("\n", "\n  ")}
  begin
    return context;
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
