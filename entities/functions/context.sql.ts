/**
 * Who and why, for the statement that runs: the comment in front of it, else what the transaction was told.
 * `current_query()` is the client's whole message also inside functions and cascades.
 * There is no query any more when deferred triggers fire after an autocommit statement: captureFunction remembered it for them.
 * A context that cannot be read is said in the event's metadata; it never stops the application's write.
 */
export const context = (s: string): string => `-- version: 1
create or replace function ${s}.context() returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  query text := current_query();
  encoded text;
begin
  if starts_with(query, '/*chronicle:') then
    encoded := substring(query from 13 for position('*/' in query) - 13);
  else
    encoded := current_setting(case when query is null then 'chronicle.statement' else 'chronicle.context' end, true);
  end if;
  if encoded is null or encoded = '' then return null; end if;
  return convert_from(decode(encoded, 'base64'), 'UTF8')::jsonb;
exception when others then
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
end $$;
`;
