/**
 * What made each write dearer than it had to be: a check constraint is read anew by every statement that inserts, so the size of an
 * event is looked at where it is made, and only our functions say what an action is; a sleeping tail is seen in passing.
 */
export const cheaperCapture = (s: string): string => `
alter table ${s}.installation add column data_limit integer not null default 16777216;
alter table ${s}.event drop constraint event_action_check, drop constraint if exists event_data_limit;
drop trigger if exists data_limit on ${s}.event_sensitive;
drop trigger if exists wake_tails on ${s}.event;
drop function if exists ${s}.wake_tails(), ${s}.refuse_size();
`;
