/** SQL for whether a row `l` of pg_locks is an advisory lock of this database on a key, a bigint[] of one or two. */
export function isLockOnKey(key: string): string {
  return `l.locktype = 'advisory'
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.objsubid = cardinality(${key})
    and case l.objsubid
      when 1 then (l.classid::bigint << 32) | l.objid::bigint = (${key})[1]
      else array[l.classid::bigint, l.objid::bigint] = array[(${key})[1] & 4294967295, (${key})[2] & 4294967295]
    end`;
}
