/** What install() gave to whom, so that everything else can be found and taken back; whose tails sleep. */
export const rights = (s: string): string => `
alter table ${s}.installation add column grants jsonb not null default '[]';
alter table ${s}.sleeping_tail add column role name not null default session_user;
drop trigger if exists append_only on ${s}.activity;
drop function if exists ${s}.guard_activity(), ${s}.flush_statement(${s}.tracked), ${s}.shape(regclass);
`;
