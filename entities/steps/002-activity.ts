/** What people did or tried, beside what changed. The indexes are those that search, alerts and retention need, and no more. */
export const activity = (s: string): string => `
create table ${s}.activity (
  id uuid primary key,
  occurred_at timestamptz not null,
  log text not null default 'default',
  action text not null,
  category text,
  outcome text not null check (outcome in ('success', 'failure', 'denied', 'error', 'unknown')),
  severity text not null check (severity in ('debug', 'info', 'warning', 'error', 'critical')),
  actor_type text,
  actor_id text,
  actor_name text,
  subject text,
  tenant text,
  strategy text,
  resource_type text,
  resource_key text,
  params jsonb not null default '{}',
  details jsonb not null default '{}',
  error text,
  request jsonb,
  ip text generated always as (request ->> 'ip') stored,
  correlation_id text,
  causation_id text,
  trace_id text,
  span_id text,
  node text not null,
  source text not null default 'server' check (source in ('server', 'client'))
);
create index activity_time on ${s}.activity (occurred_at, id);
create index activity_action on ${s}.activity (action, outcome, occurred_at);
create index activity_subject on ${s}.activity (subject, occurred_at) where subject is not null;
create index activity_actor on ${s}.activity (actor_id, actor_type, occurred_at) where actor_id is not null;
create index activity_ip on ${s}.activity (ip, occurred_at) where ip is not null;

alter table ${s}.installation add column activity_retention_days double precision default 90;
`;
