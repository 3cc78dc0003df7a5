import { activityColumns } from "../activity-columns.js";

const names = activityColumns.map((column) => column.split(" ")[0]).join(", ");

/**
 * Adds entries. One that is there already is left alone, so that a write whose answer was lost can be sent again. An
 * alert is never added here: a false one would mute the true one.
 */
export const recordActivity = (s: string): string => `-- version: 1
create or replace function ${s}.record_activity(entries json) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from json_to_recordset(entries) as e (action text, category text)
    where e.action = 'alert' and e.category = 'activity')
  then
    raise exception 'an alert is refused: only the log raises alerts' using errcode = 'CH004';
  end if;
  insert into ${s}.activity (${names})
  select ${names} from json_to_recordset(entries) as e (${activityColumns.join(", ")})
  on conflict (id) do nothing;
end $$;
`;
