/**
 * Whatever a session has set, images in the log are written, and read back, under these. And its statements are planned once: where
 * the first write of a session is of many rows, the planner believes that all are, and then planned each single write anew, at twice its cost.
 */
export const pinnedSettings = [
  "search_path = pg_catalog, pg_temp",
  "extra_float_digits = 1",
  "datestyle = 'ISO, YMD'",
  "intervalstyle = 'postgres'",
  "timezone = 'UTC'",
  "bytea_output = 'hex'",
  "lc_monetary = 'C'",
  "plan_cache_mode = force_generic_plan",
] as const;
