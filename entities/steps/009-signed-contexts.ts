/** Keys that request contexts are signed with, which nobody but the owner reads, and by which one each event's was. */
export const signedContexts = (s: string): string => `
create table ${s}.context_key (
  id text primary key,
  inner_pad bytea not null,
  outer_pad bytea not null
);
alter table ${s}.event add column signed_by text;
alter table ${s}.installation add column require_signed boolean not null default false;
`;
