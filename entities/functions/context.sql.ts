import { mostExpansion } from "./text-size.sql.js";

/**
 * Who and why, as the client sent it with the statement that runs: in a comment in front of it, else for its transaction; empty
 * where it sent nothing. `current_query()` is the client's whole message, also inside functions and cascades; it is volatile, and a
 * function that is not could not be inlined. There is none any more when deferred triggers fire after an autocommit statement:
 * capture remembered for them what came with it.
 */
export const sentContext = (s: string): string => `-- version: 2
create or replace function ${s}.sent_context() returns text
language sql volatile as $$
  select case when pg_catalog.starts_with(pg_catalog.current_query(), '/*chronicle:')
    then case when pg_catalog.strpos(pg_catalog.substr(pg_catalog.current_query(), 13, 4096), '*/') operator(pg_catalog.>) 0
      then pg_catalog.split_part(pg_catalog.substr(pg_catalog.current_query(), 13, 4096), '*/', 1)
      else pg_catalog.split_part(pg_catalog.substr(pg_catalog.current_query(), 13), '*/', 1) -- in front of DO or CALL it may be large
    end
    else pg_catalog.current_setting(case when pg_catalog.current_query() is null then 'chronicle.statement' else 'chronicle.context' end, true) end
$$;
`;

/**
 * What was sent, read. What cannot be read, is longer than 16 MB as text, or has another form than a request context (no
 * object, an actor without a type or an id, metadata that is no object), is said in the event's metadata; it never stops
 * the application's write.
 */
export const readContext = (s: string): string => `-- version: 3
create or replace function ${s}.read_context(sent text) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  read jsonb;
begin
  read := convert_from(decode(sent, 'base64'), 'UTF8')::jsonb;
  if jsonb_typeof(read) = 'object' and coalesce(jsonb_typeof(read -> 'metadata'), 'object') = 'object'
    and (not read ? 'actor' or read #>> '{actor,type}' <> '' and jsonb_typeof(read #> '{actor,type}') = 'string' and jsonb_typeof(read #> '{actor,id}') = 'string')
    and ${contextFits(s, "read")}
  then return read; end if;
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
exception when others then
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
end $$;
`;

/** Who and why, or null. A capture function takes the two steps itself, which spares it a call. */
export const context = (s: string): string => `-- version: 2
create or replace function ${s}.context() returns jsonb
language sql stable as $$
  select case when ${s}.sent_context() operator(pg_catalog.<>) '' then ${s}.read_context(${s}.sent_context()) end
$$;
`;

/** SQL: whether a context is small enough as text for whoever reads the log. */
export const contextFits = (s: string, context: string): string =>
  `(pg_column_size(${context}) < ${mostContext / mostExpansion} or ${s}.text_size(${context}, ${mostContext}) is not null)`;

const mostContext = 16_000_000;
