/**
 * Counts what a rule counts around the times of some entries, and adds an alert for each value whose threshold was
 * reached in a window, unless one of the same rule tells of it already. A window holds what is less than `windowSeconds`
 * old. What it adds is true whoever calls it: the counts are the table's, and an alert says all of the rule that it was
 * counted by, so that none can stand in for that of another rule.
 *
 * `rule`: name, by, threshold, windowSeconds and filter (column to value; `action`: names, or patterns for LIKE).
 * `hits`: value and at of each entry. Whoever counts the same waits here until the others' entries can be seen.
 */
export const raiseAlerts = (s: string): string => `-- version: 2
create or replace function ${s}.raise_alerts(rule jsonb, hits jsonb, on_node text)
returns table (id uuid, value text, count bigint, actor_type text, at_ms double precision)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  name text := rule ->> 'name';
  by_column text := case rule ->> 'by' when 'ip' then 'ip' when 'actor' then 'actor_id' when 'subject' then 'subject'
    when 'tenant' then 'tenant' end;
  threshold bigint := (rule ->> 'threshold')::bigint;
  seconds double precision := (rule ->> 'windowSeconds')::double precision;
  width interval := make_interval(secs => seconds);
  inside interval := make_interval(secs => seconds - 0.000001);
  counted jsonb := coalesce(rule -> 'filter', '{}');
  patterns text[];
  conditions text;
  told jsonb;
  hit record;
  reached record;
begin
  if name is null or threshold is null or threshold < 1 or seconds is null or seconds <= 0
    or rule ->> 'by' is not null and by_column is null
    or exists (
      select from jsonb_each(counted) c
      where c.key not in ('action', 'outcome', 'severity', 'category', 'strategy', 'source')
      or jsonb_typeof(c.value) <> case c.key when 'action' then 'array' else 'string' end)
  then
    raise exception 'a rule of alerts that cannot be counted: %', left(rule::text, 200) using errcode = 'CH004';
  end if;
  conditions := (
    select coalesce(string_agg(format(' and a.%I = %L', c.key, c.value), ''), '')
    from jsonb_each_text(counted - 'action') c);
  if counted ? 'action' then
    patterns := array(select jsonb_array_elements_text(counted -> 'action'));
    conditions := conditions || case
      when exists (select from unnest(patterns) p (pattern) where p.pattern ~ '[%_]') then format(' and a.action like any (%L::text[])', patterns)
      else format(' and a.action = any (%L::text[])', patterns)
    end;
  end if;
  perform pg_advisory_xact_lock(l.id)
  from (
    select distinct hashtextextended(format('typeorm-chronicle alert %s %s %s', '${s}', name, h.value), 0) as id
    from jsonb_to_recordset(hits) as h (value text)
    order by 1) l;
  for hit in
    select distinct h.at, case when by_column is not null then h.value end as value
    from jsonb_to_recordset(hits) as h (value text, at timestamptz)
    where by_column is null or h.value is not null
    order by h.at
  loop
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
    into reached using inside, hit.at, width, threshold;
    continue when reached is null;
    told := jsonb_build_object('alert', name, 'by', rule ->> 'by', 'value', hit.value, 'threshold', threshold,
      'windowSeconds', rule -> 'windowSeconds', 'filter', counted);
    continue when exists (
      select from ${s}.activity a
      where a.action = 'alert' and a.category = 'activity' and a.details - 'count' = told
      and a.occurred_at > reached.occurred_at - width and a.occurred_at < reached.occurred_at + width);
    id := gen_random_uuid();
    value := coalesce(hit.value, '');
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
      told || jsonb_build_object('count', reached.count),
      case by_column when 'ip' then jsonb_build_object('ip', hit.value) end,
      on_node);
    return next;
  end loop;
end $$;
`;
