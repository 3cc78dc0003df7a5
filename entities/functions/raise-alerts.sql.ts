/**
 * Counts what a rule counts around the times of some entries, and adds an alert for each value whose threshold was
 * reached in a window, unless one of the same rule tells of it already. A window holds what is less than `windowSeconds`
 * old. What it adds is true whoever calls it: the counts are the table's.
 *
 * `rule`: name, by, column, threshold, windowSeconds, actions (patterns for LIKE) and equal (column to value).
 * `hits`: value and at of each entry. Whoever counts the same waits here until the others' entries can be seen.
 */
export const raiseAlerts = (s: string): string => `-- version: 1
create or replace function ${s}.raise_alerts(rule jsonb, hits jsonb, on_node text)
returns table (id uuid, value text, count bigint, actor_type text, at_ms double precision)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  width interval := make_interval(secs => (rule ->> 'windowSeconds')::double precision);
  inside interval := make_interval(secs => (rule ->> 'windowSeconds')::double precision - 0.000001);
  by_column text := case when rule ->> 'column' in ('ip', 'actor_id', 'subject', 'tenant') then rule ->> 'column' end;
  patterns text[] := case when rule ? 'actions' then array(select jsonb_array_elements_text(rule -> 'actions')) end;
  conditions text := (
    select coalesce(string_agg(format(' and a.%I = %L', c.key, c.value), ''), '')
    from jsonb_each_text(rule -> 'equal') c
    where c.key in ('outcome', 'severity', 'category', 'strategy', 'source'));
  hit record;
  reached record;
begin
  if patterns is not null then
    conditions := conditions || case
      when exists (select from unnest(patterns) p (pattern) where p.pattern ~ '[%_]') then format(' and a.action like any (%L::text[])', patterns)
      else format(' and a.action = any (%L::text[])', patterns)
    end;
  end if;
  perform pg_advisory_xact_lock(l.id)
  from (
    select distinct hashtextextended(format('typeorm-chronicle alert %s %s %s', '${s}', rule ->> 'name', h.value), 0) as id
    from jsonb_to_recordset(hits) as h (value text)
    order by 1) l;
  for hit in select distinct h.value, h.at from jsonb_to_recordset(hits) as h (value text, at timestamptz) order by h.at loop
    execute format(
      'select * from (
         select a.occurred_at, a.actor_type, count(*) over (order by a.occurred_at range between $1 preceding and current row) as count
         from ${s}.activity a
         where a.category is distinct from ''activity''%s%s and a.occurred_at > $2 - $3 and a.occurred_at < $2 + $3
       ) w
       where w.occurred_at >= $2 and w.count >= $4
       order by w.occurred_at
       limit 1',
      conditions, case
        when by_column is null then ''
        when by_column = 'ip' and hit.value like '%/64' then format(' and ${s}.source_of(a.ip) = %L', hit.value)
        else format(' and a.%I = %L', by_column, hit.value)
      end)
    into reached using inside, hit.at, width, (rule ->> 'threshold')::bigint;
    continue when reached is null or exists (
      select from ${s}.activity a
      where a.action = 'alert' and a.category = 'activity' and a.details ->> 'alert' = rule ->> 'name'
      and a.details -> 'threshold' = rule -> 'threshold' and a.details -> 'windowSeconds' = rule -> 'windowSeconds'
      and coalesce(a.details ->> 'value', '') = hit.value
      and a.occurred_at > reached.occurred_at - width and a.occurred_at < reached.occurred_at + width);
    id := gen_random_uuid();
    value := hit.value;
    count := reached.count;
    actor_type := reached.actor_type;
    at_ms := extract(epoch from reached.occurred_at) * 1000;
    insert into ${s}.activity (
      id, occurred_at, action, category, outcome, severity, actor_type, actor_id, subject, tenant, details, request, node)
    values (
      id, reached.occurred_at, 'alert', 'activity', 'success', 'critical',
      case by_column when 'actor_id' then coalesce(reached.actor_type, 'unknown') end,
      case by_column when 'actor_id' then hit.value end,
      case by_column when 'subject' then hit.value end,
      case by_column when 'tenant' then hit.value end,
      jsonb_build_object('alert', rule -> 'name', 'by', rule -> 'by',
        'value', case when by_column is not null then hit.value end, 'count', reached.count,
        'threshold', rule -> 'threshold', 'windowSeconds', rule -> 'windowSeconds'),
      case by_column when 'ip' then jsonb_build_object('ip', hit.value) end,
      on_node);
    return next;
  end loop;
end $$;
`;
