import { transactionStart } from "../../src/core/sent-context.js";
import { mostExpansion } from "./text-size.sql.js";

/** What was set for this transaction, or null: what stayed from another one does not begin with the start of this. */
export const contextSet = (s: string): string => `-- version: 1
create or replace function ${s}.context_set(name text) returns text
language sql stable as $$
  select case
    when pg_catalog.split_part(pg_catalog.current_setting(name, true), ':', 1) operator(pg_catalog.=) ${transactionStart}
    then pg_catalog.split_part(pg_catalog.current_setting(name, true), ':', 2)
  end
$$;
`;

/**
 * Who and why, as the client sent it with the statement that runs: in a comment at the very end of its message, or set for the
 * transaction; empty or null where it sent nothing. A literal or an identifier that holds such a comment does not end a message.
 * The message is `current_query()`, the client's whole one, also inside functions and cascades. There is none any more when deferred
 * triggers fire after an autocommit statement: capture remembered for them what came with it.
 */
export const sentContext = (s: string): string => `-- version: 4
drop function if exists ${s}.sent_context();
create or replace function ${s}.sent_context(message text) returns text
language sql stable as $$
  select case
    when pg_catalog.split_part(message, '*/', -1) operator(pg_catalog.<>) '' then ${s}.context_set('chronicle.context')
    when pg_catalog.split_part(message, '/*chronicle:', -1)
      operator(pg_catalog.~) '^[A-Za-z0-9+/]+=*([.][A-Za-z0-9_.-]+)?[*]/$|^[*]/$'
    then pg_catalog.split_part(pg_catalog.split_part(message, '/*chronicle:', -1), '*/', 1)
    else ${s}.context_set(case when message is null then 'chronicle.statement' else 'chronicle.context' end)
  end
$$;
`;

/**
 * Reads what was sent, signed or not. If it cannot be read, is longer than 16 MB as text, or is not a request context
 * (not an object, an actor without a type or an id, metadata that is not an object, a `signedBy` of its own), the
 * event's metadata says so. It never stops the application's write.
 */
export const readContext = (s: string): string => `-- version: 4
create or replace function ${s}.read_context(sent text) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  read jsonb;
begin
  read := convert_from(decode(split_part(sent, '.', 1), 'base64'), 'UTF8')::jsonb;
  if jsonb_typeof(read) = 'object' and coalesce(jsonb_typeof(read -> 'metadata'), 'object') = 'object'
    and (not read ? 'actor' or read #>> '{actor,type}' <> '' and jsonb_typeof(read #> '{actor,type}') = 'string' and jsonb_typeof(read #> '{actor,id}') = 'string')
    and not read ? 'signedBy'
    and ${contextFits(s, "read")}
  then return read; end if;
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
exception when others then
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
end $$;
`;

/** Who and why, or null. A capture function takes the two steps itself, which spares it a call. */
export const context = (s: string): string => `-- version: 4
create or replace function ${s}.context() returns jsonb
language sql stable as $$
  select ${s}.read_signed(sent)
  from (select ${s}.sent_context(pg_catalog.current_query()) as sent offset 0) message
$$;
`;

/** SQL: whether a context is small enough as text for whoever reads the log. */
export const contextFits = (s: string, context: string): string =>
  `(pg_column_size(${context}) < ${mostContext / mostExpansion} or ${s}.text_size(${context}, ${mostContext}) is not null)`;

const mostContext = 16_000_000;
