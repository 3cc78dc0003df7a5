import { expect } from "chai";
import { Column, Entity, Generated, PrimaryColumn, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { application } from "./application.js";

@Entity()
@Tracked()
class Serial {
  @PrimaryGeneratedColumn() id!: number;
  @Column("integer") @Generated("increment") number!: number;
  @Column("text") name!: string;
}

@Entity({ synchronize: false })
@Tracked()
class Odd {
  @PrimaryColumn("integer") id!: number;
  @Column("bigint") other!: string;
  @Column("text") name!: string;
}

describe("replay and sequences", () => {
  const app = application({
    entities: [Serial, Odd],
    before: `create sequence "down Count" increment -1 minvalue -1000 maxvalue 10 start 10;
      create table odd (id integer generated always as identity primary key, other bigint not null default nextval('"down Count"'), name text not null)`,
  });
  const serials = () => app.dataSource.getRepository(Serial);
  const names = (rows: { name: string }[]) => rows.map(({ name }) => name);

  it("gives a fresh id after a replay into empty tables whose sequences started over, also after the very first row", async () => {
    for (const next of [2, 4]) {
      await serials().save(next === 2 ? [{ name: "first" }] : [{ name: "second" }, { name: "third" }]);
      await app.wipe();
      await app.sql("alter sequence serial_id_seq restart; alter sequence serial_number_seq restart");
      await app.log.replay();
      const id = await app.sql(
        "select nextval('serial_id_seq')::integer as id, nextval('serial_number_seq')::integer as number",
      );
      expect(id).to.deep.equal([{ id: next, number: next }]);
      await app.sql(`select setval('serial_id_seq', ${next - 1}), setval('serial_number_seq', ${next - 1})`);
    }
  });

  it("never gives an id out again, though a replay to the past took its row away", async () => {
    await serials().save({ name: "first" });
    const { bookmark } = await app.moment();
    const [, last] = await serials().save([{ name: "second" }, { name: "third" }]);
    await app.log.replay({ bookmark });
    expect((await serials().save({ name: "fourth" })).id).to.equal((last?.id ?? 0) + 1);
    expect(names(await serials().find({ order: { id: "ASC" } }))).to.deep.equal(["first", "fourth"]);
  });

  it("follows identities, sequences that descend and defaults that share one", async () => {
    await app.sql("insert into odd (name) values ('a'), ('b'), ('c')");
    const before = await app.sql("select * from odd order by id");
    await app.wipe();
    await app.sql('alter sequence "down Count" restart; alter table odd alter column id restart');
    await app.log.replay();
    expect(await app.sql("select * from odd order by id")).to.deep.equal(before);
    expect(await app.sql("insert into odd (name) values ('d') returning id, other")).to.deep.equal([
      { id: 4, other: "7" },
    ]);
  });

  it("leaves a sequence alone that cannot reach the highest value", async () => {
    await app.sql("alter sequence serial_number_seq maxvalue 100");
    await app.sql("insert into serial (number, name) values (5, 'reachable'), (1000, 'by hand')");
    await app.wipe();
    await app.sql("alter sequence serial_number_seq restart");
    await app.log.replay();
    expect((await serials().save({ name: "next" })).number).to.equal(6);
  });
});
