/**
 * How many bytes a JSON object has as text, or null if they are more than `most`, found without making that text. Only
 * numbers have a text that is much longer than what is stored: 16 bytes can be a number of 147,456 digits, so 2.8 kB
 * can be more text than a server or a process can hold. They are made text one by one, until they are too many.
 * Strings have at most six times their bytes. Null too for what is nested too deeply to be looked through, from some
 * 10,000 levels on.
 */
export const textSize = (s: string): string => `-- version: 1
create or replace function ${s}.text_size(object jsonb, most integer) returns integer
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  stored bigint;
begin
  object := object || '{}'; -- a copy, which is not compressed and is fetched once
  stored := pg_column_size(object);
  -- Text is at least a quarter of what is stored. Beyond 128 MB its text may be more than a server's 1 GB.
  if stored > least(4 * most::bigint, 134217728) then
    return null;
  end if;
  if stored * ${mostExpansion} > most then
    begin
      if exists (
        select from (
          select sum(octet_length(n.number::text)) over (rows unbounded preceding) as so_far
          from (
            select jsonb_array_elements(jsonb_path_query_array(object, 'strict $.** ? (@.type() == "number")')) as number
            offset 0
          ) n
        ) s
        where so_far > most
      ) then
        return null;
      end if;
    exception when statement_too_complex then
      return null; -- nested too deeply
    end;
  end if;
  return (select size from (select octet_length(object::text) as size) t where size <= most);
end $$;
`;

/** How many times longer JSON can be as text than it is stored. */
export const mostExpansion = 10_000;
