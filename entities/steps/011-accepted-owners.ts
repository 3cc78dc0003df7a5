/** Tables and types of others that install() was asked to accept. */
export const acceptedOwners = (s: string): string => `
alter table ${s}.installation add column accepted_owners jsonb not null default '[]';
comment on column ${s}.installation.accepted_owners is
  'Tables and types of others, by oid, with the owner who was accepted: they are captured without running their code';
`;
