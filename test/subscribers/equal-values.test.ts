import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

/** Values of which Postgres says that they are equal, and which are not the same. */
const pairs = {
  price: ["numeric", "1.0", "1.00"],
  code: ["bpchar", "a", "a "],
  name: ["text collate ignoring_case", "ada", "Ada"],
  slope: ["float8", "0", "-0"],
  note: ["jsonb", '{"n": 1.0}', '{"n": 1.00}'],
  span: ["interval", "24:00:00", "1 day"],
  mood: ["feeling", "calm", "glad"],
  born: ["date", "2000-01-01", "2000-01-02"],
} as const;

@Entity()
@Tracked()
class Sample {
  @PrimaryColumn("integer") id!: number;
  @Column("text") label!: string;
  @Column("text") price!: string;
  @Column("text") code!: string;
  @Column("text") name!: string;
  @Column("text") slope!: string;
  @Column("text") note!: string;
  @Column("text") span!: string;
  @Column("text") mood!: string;
  @Column("text") born!: string;
}

describe("an update of many rows to values that are equal, but not the same", () => {
  let application: TrackedApplication;
  before(async () => {
    application = await TrackedApplication.start([Sample]);
    await application.query(
      "create collation ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false); create type feeling as enum ('calm', 'glad')",
    );
    const columns = Object.entries(pairs).map(
      ([name, [type]]) => `alter ${name} type ${type} using ${name}::${type.split(" ", 1)[0]}`,
    );
    await application.query(`alter table sample ${columns.join(", ")}`);
    await application.log.install();
    const values = Object.values(pairs).map(([, value]) => `'${value}'`);
    await application.query(`insert into sample select n, 'x', ${values.join(", ")} from generate_series(1, 3) n`);
  });
  after(() => application.stop());

  for (const [name, [, before, after]] of Object.entries(pairs)) {
    it(`is recorded: ${name}, from ${before} to ${after}`, async () => {
      await application.query(`update sample set ${name} = '${after}', label = label`);
      const events = await application.query(
        `select data - '${name}' as others, data ->> '${name}' <> previous ->> '${name}' as changed from chronicle.event where action = 'update' and data ? '${name}'`,
      );
      expect(events).to.deep.equal(Array.from({ length: 3 }, () => ({ others: {}, changed: true })));
    });
  }

  it("is not recorded where they are the same", async () => {
    const count = async () => (await application.query("select from chronicle.event")).length;
    const before = await count();
    await application.query(
      `update sample set ${Object.keys(pairs)
        .map((name) => `${name} = ${name}`)
        .join(", ")}`,
    );
    expect(await count()).to.equal(before);
  });
});
