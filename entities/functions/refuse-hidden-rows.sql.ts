/**
 * Refuses a write of which capture would have to read the rows, if row level security hides some of them from the log's owner: a part would
 * be recorded as all there is. Called where that role's rights are in force; whether they suffice, Postgres itself says.
 */
export const refuseHiddenRows = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_hidden_rows(relation oid, written text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if not row_security_active(relation) then return; end if;
  raise exception '% on % cannot be captured: row level security hides rows of that table from %, which owns the log (%)',
    written, relation::regclass, current_user, coalesce((
      select 'by ' || string_agg(quote_ident(p.polname), ', ' order by p.polname)
      from pg_policy p where p.polrelid = relation), 'no policy shows any')
    using errcode = 'CH011',
      hint = 'Give that role BYPASSRLS, or the table without FORCE ROW LEVEL SECURITY. DELETE is captured by triggers.';
end $$;
`;
