/**
 * Merges a record's events, in order, into its last state: jsonb_concat is C, which makes it the cheapest way there is
 * (half the time of jsonb_each and distinct on). Without a first value it begins with the first event's data as it is.
 */
export const merge = (s: string): string => `-- version: 2
create or replace aggregate ${s}.merge(jsonb) (sfunc = jsonb_concat, stype = jsonb, parallel = safe);
`;
