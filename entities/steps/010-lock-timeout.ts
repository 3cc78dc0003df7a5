/** How long a write waits for the log's lock, in milliseconds; null for as long as it takes. */
export const lockTimeout = (s: string): string => `
alter table ${s}.installation add column lock_timeout_ms integer;
`;
