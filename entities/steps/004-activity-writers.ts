/** Processes that write to the activity log, each until its farewell: the row of one that was killed tells of what it may have lost. */
export const activityWriters = (s: string): string => `
create table ${s}.activity_writer (
  run uuid primary key,
  node text not null,
  waiting integer not null,
  queue integer not null,
  seen_at timestamptz not null
);
`;
