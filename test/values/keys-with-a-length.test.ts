import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { query } from "../database.js";
import { TrackedApplication } from "../tracked-application.js";

/** Keys of types whose bare SQL name means a length of 1, that differ after their first character only. */
const keys = {
  "character(12)": ["21abcdefghij", "28abcdefghij", "29abcdefghij"],
  "bit(8)": ["10000001", "10000010", "10000011"],
  fixed: ["21ab", "28ab", "29ab"],
  flags: ["1001", "1010", "1011"],
} as const;

@Entity()
@Tracked()
class Device {
  @PrimaryColumn("text") id!: string;
  @Column("text") name!: string;
}

for (const capture of ["trigger", "subscriber"] as const)
  for (const [type, [first, second, third]] of Object.entries(keys))
    describe(`a key of type ${type} under ${capture} capture`, () => {
      let application: TrackedApplication;
      before(async () => {
        application = await TrackedApplication.start([Device], {
          log: { capture },
          dataSource: { synchronize: false },
          prepare: async ({ url }) => {
            await query(url, "create domain fixed as character(4)");
            await query(url, "create domain flags as bit(4)");
            await query(url, `create table device (id ${type} primary key, name text not null)`);
          },
        });
      });
      after(() => application.stop());

      it("tells records apart that differ after the first character", async () => {
        const devices = application.dataSource.getRepository(Device);
        for (const id of [first, second]) await devices.save({ id, name: "new" });
        await devices.save({ id: second, name: "changed" });
        await devices.remove((await devices.find({ where: { name: "new" } }))[0] as Device);
        if (capture === "trigger") await application.query(`update device set id = '${third}' where id = '${second}'`);
        const events = await application.query(
          "select action, record_id ->> 'id' as id from chronicle.event order by position",
        );
        const moved = [
          { action: "destroy", id: second },
          { action: "create", id: third },
        ];
        expect(events).to.deep.equal([
          { action: "create", id: first },
          { action: "create", id: second },
          { action: "update", id: second },
          { action: "destroy", id: first },
          ...(capture === "trigger" ? moved : []),
        ]);
        expect(await application.log.history(Device, { id: second })).to.have.length(capture === "trigger" ? 3 : 2);
        expect((await application.log.verify()).differences).to.deep.equal([]);
      });

      it("takes no other record of the same transaction for one that is removed", async () => {
        await application.query("delete from device");
        await application.log.reconcile();
        const devices = application.dataSource.getRepository(Device);
        await devices.save({ id: first, name: "old" });
        const [{ position } = {}] = await application.query("select max(position) as position from chronicle.event");
        await application.manager.transaction(async (manager) => {
          await manager.save(Device, { id: second, name: "new" });
          await manager.remove(await manager.findOneByOrFail(Device, { id: first }));
        });
        const events = await application.query(
          "select action, record_id ->> 'id' as id from chronicle.event where position > $1 order by action",
          [position],
        );
        expect(events).to.deep.equal([
          { action: "create", id: second },
          { action: "destroy", id: first },
        ]);
      });
    });

describe("a domain over character(4) that others own", () => {
  const role = `maker_${process.pid}`;
  for (const capture of ["trigger", "subscriber"] as const)
    it(`is read in full under ${capture} capture`, async () => {
      const application = await TrackedApplication.start([Device], {
        log: { capture },
        dataSource: { synchronize: false },
        prepare: async ({ url }) => {
          await query(url, `create role ${role}`);
          await query(url, "create domain fixed as character(4)");
          await query(url, `alter domain fixed owner to ${role}`);
          await query(url, "create table device (id fixed primary key, name fixed not null)");
        },
        install: { acceptOwners: [role] },
      });
      try {
        const devices = application.dataSource.getRepository(Device);
        await devices.save({ id: "21ab", name: "aaaa" });
        await devices.save({ id: "28ab", name: "aaaa" });
        expect(await application.log.history(Device, { id: "28ab" })).to.have.length(1);
        expect((await application.log.verify()).differences).to.deep.equal([]);
        await application.query(
          "set session_replication_role = replica; update device set name = 'aaab' where id = '28ab'",
        );
        expect((await application.log.verify()).counts).to.include({ different: 1 });
      } finally {
        await application.query(`alter domain fixed owner to current_user; drop role ${role}`);
        await application.stop();
      }
    });
});
