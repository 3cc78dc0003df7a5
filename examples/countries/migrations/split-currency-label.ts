import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * Release 2: a currency's label "Euro (€)" becomes a name and a symbol.
 *
 * The new columns are filled by the ALTER TABLE itself and not by an UPDATE, so the log does not get an event per row for
 * what nobody changed. What it holds of release 1 stays as it was recorded: currency-versions.ts reads it.
 */
export class SplitCurrencyLabel1767225600000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table currency
        add column name text not null generated always as (regexp_replace(label, ' \\([^(]*\\)$', '')) stored,
        add column symbol text not null generated always as (substring(label from ' \\(([^(]*)\\)$')) stored`);
    await queryRunner.query(`
      alter table currency
        alter column name drop expression,
        alter column symbol drop expression`);
    await queryRunner.query(`alter table currency drop column label`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table currency
        add column label text not null generated always as (name || ' (' || symbol || ')') stored`);
    await queryRunner.query(`alter table currency alter column label drop expression`);
    await queryRunner.query(`
      alter table currency
        drop column name,
        drop column symbol`);
  }
}
