import { DataSource, type DataSourceOptions } from "typeorm";
import { attachmentOf, detached } from "../src/core/attachment.js";
import { tableNames } from "../src/log/entity-parts.js";

/** The shadow's name of a table, by the live table's schema and name. */
export type ShadowName = (schema: string, tableName: string) => string;

/**
 * A DataSource of its own with the application's entities, all of them on a shadow's tables. The names are put into the metadata:
 * an entity may name a schema, so neither a search_path nor the `schema` option would reach it. Entities that are not
 * in the shadow get a name that no table has: asking for them is an error, never a look at live.
 */
class ShadowDataSource extends DataSource {
  constructor(
    options: DataSourceOptions,
    private readonly live: DataSource,
    private readonly schema: string,
    private readonly nameOf: ShadowName,
  ) {
    super(options);
  }

  protected override async buildMetadatas(): Promise<void> {
    await super.buildMetadatas();
    for (const metadata of this.entityMetadatas) {
      metadata.tableName = this.nameOf(...tableNames(this, metadata).path);
      metadata.schema = this.schema;
      metadata.tablePath = this.driver.buildTableName(metadata.tableName, this.schema, metadata.database);
    }
    // TypeORM hands classes of the active record style to the DataSource that was made last.
    for (const { target } of this.live.entityMetadatas) {
      (target as { useDataSource?: (dataSource: DataSource) => void }).useDataSource?.(this.live);
    }
  }
}

/** Connects a DataSource to a shadow. No subscriber runs on it, it records nothing, and it passes no gate. */
export async function openShadow(live: DataSource, schema: string, nameOf: ShadowName): Promise<DataSource> {
  const { Client } = attachmentOf(live);
  const { replication, extra, ...options } = detached(live.options) as DataSourceOptions & {
    replication?: { master?: object };
    extra?: object;
  };
  const shadow = new ShadowDataSource(
    {
      ...options,
      ...replication?.master,
      extra: { ...extra, Client },
      subscribers: [],
      migrations: [],
      cache: false,
      synchronize: false,
      dropSchema: false,
      migrationsRun: false,
      installExtensions: false,
    } as DataSourceOptions,
    live,
    schema,
    nameOf,
  );
  return shadow.initialize();
}
