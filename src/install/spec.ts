import type { TrackedTable } from "../log/tracked-tables.js";

/** What `chronicle.track` is told of a table. */
export function specOf(table: TrackedTable, capture: string): Record<string, unknown> {
  return {
    entity: table.entity,
    formerly: table.formerly,
    keyColumns: table.keyColumns,
    versions: table.versions,
    plainColumns: table.plainColumns,
    excludedColumns: table.excludedColumns,
    deleteDateColumn: table.deleteDateColumn,
    tenantColumn: table.tenantColumn,
    discriminatorColumn: table.discriminatorColumn,
    discriminatorEntities: table.children,
    actions: table.actions,
    auditOnly: table.auditOnly,
    capture,
  };
}
