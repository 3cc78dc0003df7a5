/** Whatever a session has set, images in the log are written, and read back, under these. */
export const pinnedSettings = [
  "search_path = pg_catalog, pg_temp",
  "extra_float_digits = 1",
  "datestyle = 'ISO, YMD'",
  "intervalstyle = 'postgres'",
  "timezone = 'UTC'",
  "bytea_output = 'hex'",
  "lc_monetary = 'C'",
] as const;
