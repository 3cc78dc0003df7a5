import { quoteLiteral } from "../../src/core/sql.js";
import { triggerSuffix } from "./trigger-suffix.js";

const verbs = ["insert", "update", "delete", "truncate"];

/**
 * Refuses to go on if tables lack capture triggers: asked in the message of a COMMIT, of the tables that the transaction
 * wrote. A table that took the name of a tracked one has none. In plpgsql, which keeps the plan: planning it would be most
 * of its cost.
 */
export const confirmCapture = (s: string): string => `-- version: 1
create or replace function ${s}.confirm_capture(tables text[]) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  uncaptured text := (
    select string_agg(c.oid::regclass::text, ', ')
    from pg_class c
    where c.oid = any (array(select to_regclass(t.name)::oid from unnest(tables) as t (name)))
    and c.relkind in ('r', 'p', 'f')
    and (
      select count(*)
      from pg_trigger g
      where g.tgrelid = c.oid and g.tgenabled in ('O', 'A')
      and g.tgname = any (array[${verbs.map((verb) => quoteLiteral(` chronicle ${verb}${triggerSuffix(s)}`)).join(", ")}]::name[])
    ) < ${verbs.length});
begin
  if uncaptured is not null then
    raise exception 'The table % is another one than at the last install, or lost capture triggers', uncaptured
      using errcode = 'CH012';
  end if;
end $$;
`;
