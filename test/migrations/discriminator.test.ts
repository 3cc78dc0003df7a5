import { expect } from "chai";
import { ChildEntity, Column, Entity, PrimaryColumn, TableInheritance } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { Application, expectEqual } from "../replay/application.js";

/** Single-table inheritance, as a release has it: the discriminator's column and the value for a truck. */
function vehicles(column: string, truck: string) {
  const labels = { enum: [truck, "Vehicle"], enumName: "vehicle_kind" };
  @Entity({ name: "vehicle" })
  @TableInheritance({ column: { name: column, type: "enum", ...labels } })
  @Tracked({ name: "Vehicle" })
  class Vehicle {
    @PrimaryColumn("int") id!: number;
    @Column("text", { nullable: true }) name!: string | null;
  }
  @ChildEntity(truck)
  @Tracked({ name: "Truck" })
  class Truck extends Vehicle {
    @Column("int", { nullable: true }) axles!: number | null;
  }
  return { Vehicle, Truck };
}

const bookmark = "before";

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`a discriminator that a migration changes, under ${capture} capture`, () => {
    const old = vehicles("kind", "truck");
    let app: Application;
    beforeEach(async () => {
      app = new Application({ entities: Object.values(old), capture });
      await app.start();
      await app.dataSource.getRepository(old.Truck).save({ id: 1, name: "first", axles: 2 });
      await app.log.bookmark(bookmark);
    });
    afterEach(() => app.stop());

    for (const [what, next, ddl, isKnownBefore] of [
      ["its column's new name", vehicles("sort", "truck"), "alter table vehicle rename kind to sort", true],
      ["a new label", vehicles("kind", "lorry"), "alter type vehicle_kind rename value 'truck' to 'lorry'", false],
    ] as const) {
      it(`is known under ${what}`, async () => {
        await app.sql(ddl);
        const { dataSource, log } = await app.open({ entities: Object.values(next), capture });
        const trucks = dataSource.getRepository(next.Truck);
        await trucks.save({ id: 2, name: "between", axles: 3 });
        await trucks.save({ id: 1, axles: 4 });
        const names = async (id: number) => (await log.history(next.Truck, id)).map(({ entity }) => entity);
        // Which class a new label stands for, only the next install can say.
        if (isKnownBefore) expect([await names(1), await names(2)]).to.deep.equal([["Truck", "Truck"], ["Truck"]]);
        await log.install();
        await trucks.save({ id: 2, name: "after" });
        expect((await names(2)).at(-1)).to.equal("Truck");
        const was = await app.rows();
        await expectEqual({ log }, "after the install");
        await log.replay();
        expectSameRows(await app.rows(), was);
        const then = await log.at(next.Vehicle, 1, { bookmark });
        expect(then).to.deep.include({ id: 1, name: "first", axles: 2 });
        expect(then).to.be.instanceOf(next.Truck);
      });
    }
  });
}
