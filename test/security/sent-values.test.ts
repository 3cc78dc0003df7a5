import { inspect } from "node:util";
import { expect } from "chai";
import pg from "pg";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { override, Sensitive, Tracked, upcast } from "../../src/index.js";
import { application, rejectionOf } from "../replay/application.js";
import { upgradedApplication } from "../replay/upgrade.js";

@Entity()
@Tracked()
class Patient {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("text", { nullable: true }) @Sensitive({ erased: "gone" }) illness!: string | null;
  @Column("text", { nullable: true, unique: true }) @Sensitive() phone!: string | null;
}

/** Everything that any Client sends: texts and parameters, as a server writes them to its log. */
function recordStatements(): { sent: string[]; end: () => void } {
  const sent: string[] = [];
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
    sent.push(inspect(given, { depth: 10, maxArrayLength: null, maxStringLength: null }));
    return (query as (...all: unknown[]) => unknown).apply(this, given);
  } as typeof query;
  return { sent, end: () => void (pg.Client.prototype.query = query) };
}

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`the statements that the library sends, under capture by the ${capture}`, function () {
    this.timeout(60_000);
    const app = application({ entities: [Patient], capture });
    const secrets = ["influenza", "measles", "4711"];

    it("hold no sensitive value, whatever is called", async () => {
      const patients = app.dataSource.getRepository(Patient);
      await patients.save({ name: "one", illness: "influenza", phone: "4711" });
      const first = await app.log.bookmark("first");
      await patients.update(1, { illness: "measles" });
      await patients.save({ name: "two", illness: "measles" });
      await app.log.bookmark("second");
      await app.spoil("insert into patient (name, illness) values ('three', 'measles')");
      const { sent, end } = recordStatements();
      const values: unknown[] = [];
      try {
        const { log } = app;
        const early = { bookmark: "first" };
        for await (const event of log.events()) values.push(event.data);
        for await (const event of log.tail({ after: first.position - 1n })) {
          values.push(event.data);
          break;
        }
        values.push(await log.history(Patient, 1), await log.changes(Patient, 1, { from: early }));
        values.push(await log.at(Patient, [1, 2], early, { sensitive: true }), await log.verify());
        await log.baseline();
        await log.reconcile();
        await log.revert(Patient, 1, early);
        await log.revert(Patient, 2, early);
        await log.revert(Patient, 2, { bookmark: "second" });
        await log.replay(early, { dryRun: true });
        await log.replay(early);
        await log.replay(undefined, { apply: "rebuild" });
        const shadow = await log.shadow(early);
        await shadow.drop();
        await log.erase(Patient, 1);
        await log.install();
      } finally {
        end();
      }
      expect(inspect(values, { depth: 10 }), "what was read holds it, so there is something to find").to.include(
        "influenza",
      );
      expect(sent.length).to.be.greaterThan(50);
      for (const secret of secrets)
        expect(
          sent.filter((text) => text.includes(secret)),
          secret,
        ).to.deep.equal([]);
    });

    it("hold none where a replay fails because of one", async () => {
      const patients = app.dataSource.getRepository(Patient);
      await patients.save({ name: "one", illness: "influenza", phone: "4711" });
      await app.log.bookmark("first");
      await app.sql("alter table patient add constraint healthy check (length(illness) < 9) not valid");
      const { sent, end } = recordStatements();
      try {
        await rejectionOf(app.log.replay({ bookmark: "first" }, { apply: "rebuild" }));
        await patients.update(1, { illness: null });
        const error = await rejectionOf(app.log.revert(Patient, 1, { bookmark: "first" }));
        expect(`${error.message} ${JSON.stringify(error)}`).to.not.include("influenza");
      } finally {
        end();
        await app.sql("alter table patient drop constraint healthy");
      }
      for (const secret of secrets)
        expect(
          sent.filter((text) => text.includes(secret)),
          secret,
        ).to.deep.equal([]);
    });
  });
}

@Entity({ name: "patient" })
@Tracked({ name: "Patient", version: { create: 2, update: 2 } })
class PatientNow {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("text", { nullable: true }) @Sensitive({ erased: "gone" }) illness!: string | null;
  @Column("text", { nullable: true, unique: true }) @Sensitive() phone!: string | null;
}

describe("the statements that the library sends for what handlers made", function () {
  this.timeout(60_000);
  const upcasters = [
    upcast(PatientNow, "create", { from: 1 }, (row) => ({ ...row, illness: `no\t"${String(row.illness)}"\\\n` })),
  ];
  const overrides = [
    override(PatientNow, "update", { versions: [1] }, async (event, state) => {
      const row = await state.find<{ illness: string }>(PatientNow, event.recordId.id as number);
      await state.update(PatientNow, event.recordId.id as number, { ...event.data, phone: `of ${row?.illness}` });
    }),
  ];
  const app = upgradedApplication(
    { entities: [Patient] },
    {
      write: async ({ dataSource, log }) => {
        const patients = dataSource.getRepository(Patient);
        await patients.save([{ name: "one", illness: "influenza" }, { name: "two" }]);
        await patients.update(1, { name: "first" });
        await log.bookmark("upgrade");
      },
      migrate: "",
      now: { entities: [PatientNow], replay: { upcasters, overrides } },
    },
  );

  it("hold no sensitive value", async () => {
    const { sent, end } = recordStatements();
    const { log, dataSource } = app;
    const point = { bookmark: "upgrade" };
    try {
      await log.verify();
      const shadow = await log.shadow(point);
      await shadow.drop();
      await log.at(PatientNow, [1], point, { sensitive: true });
      await log.replay(point, { dryRun: true });
      await log.replay(point);
    } finally {
      end();
    }
    const made = 'no\t"influenza"\\\n';
    expect(await dataSource.getRepository(PatientNow).findOneBy({ id: 1 })).to.deep.equal({
      id: 1,
      name: "first",
      illness: made,
      phone: `of ${made}`,
    });
    expect(sent.length).to.be.greaterThan(50);
    expect(sent.filter((text) => text.includes("influenza"))).to.deep.equal([]);
  });
});
