/** What is known of the partitions of the event table, where it has any, and of those that went. */
export const partitions = (s: string): string => `
create table ${s}.event_partition (
  position bigint primary key,
  began_at timestamptz not null default clock_timestamp()
);
comment on table ${s}.event_partition is 'The first position of each partition of the event table but the oldest, and when it began.';
alter table ${s}.installation add column kept_from bigint;
`;
