import type { DataSource, MigrationInterface, QueryRunner } from "typeorm";
import { eventLog } from "../../src/index.js";
import { newDataSource } from "../tracked-application.js";
import type { EntityClass } from "./entity-of.js";

interface Query {
  readonly query: string;
  readonly parameters?: unknown[];
}

/**
 * The migration that TypeORM's `migration:generate` would write for a database and the entities of the next release, with the
 * line that the guide asks for at its end.
 */
export async function generateMigration(
  url: string,
  entities: readonly EntityClass[],
  name: string,
): Promise<new () => MigrationInterface> {
  const dataSource = await newDataSource(url, [...entities]).initialize();
  try {
    const { upQueries, downQueries } = await dataSource.driver.createSchemaBuilder().log();
    return migrationOf(name, upQueries as Query[], (downQueries as Query[]).toReversed());
  } finally {
    await dataSource.destroy();
  }
}

function migrationOf(name: string, up: readonly Query[], down: readonly Query[]): new () => MigrationInterface {
  return class implements MigrationInterface {
    name = name;
    async up(queryRunner: QueryRunner): Promise<void> {
      for (const { query, parameters } of up) await queryRunner.query(query, parameters);
      await eventLog(queryRunner.dataSource).install({ queryRunner });
    }
    async down(queryRunner: QueryRunner): Promise<void> {
      for (const { query, parameters } of down) await queryRunner.query(query, parameters);
    }
  };
}

/** How TypeORM wraps migrations in transactions. */
export type TransactionMode = NonNullable<DataSource["options"]["migrationsTransactionMode"]>;
