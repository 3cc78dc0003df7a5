import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../../src/index.js";

/** A column of each type that TypeORM knows and applications use. */
@Entity()
@Tracked()
export class Specimen {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("simple-json", { nullable: true }) simpleJson?: unknown;
  @Column("simple-array", { nullable: true }) simpleArray?: string[] | null;
  @Column("jsonb", { nullable: true }) jsonb?: unknown;
  @Column("json", { nullable: true }) json?: unknown;
  @Column("text", { nullable: true, array: true }) texts?: (string | null)[] | null;
  @Column("integer", { nullable: true, array: true }) numbers?: number[][] | null;
  @Column("enum", { nullable: true, enum: ["plain", 'it\'s "quoted"', "back\\slash"] }) kind?: string | null;
  @Column("bigint", { nullable: true }) big?: string | null;
  @Column("numeric", { nullable: true }) exact?: string | null;
  @Column({ type: "double precision", nullable: true }) float?: number | null;
  @Column("bytea", { nullable: true }) bytes?: Buffer | null;
  @Column("date", { nullable: true }) day?: string | null;
  @Column("time", { nullable: true }) time?: string | null;
  @Column({ type: "timestamptz", nullable: true, precision: 6 }) at?: Date | null;
  @Column("interval", { nullable: true }) span?: string | null;
  @Column("point", { nullable: true }) place?: string | { x: number; y: number } | null;
  @Column("ltree", { nullable: true }) path?: string | null;
  @Column("hstore", { nullable: true, hstoreType: "object" }) pairs?: object | null;
  @Column("tsvector", { nullable: true }) words?: string | null;
  @Column("int4range", { nullable: true }) range?: string | null;
  @Column("tstzrange", { nullable: true }) period?: string | null;
  @Column("money", { nullable: true }) price?: string | null;
  @Column("citext", { nullable: true }) anyCase?: string | null;
  @Column("inet", { nullable: true }) address?: string | null;
  @Column("uuid", { nullable: true }) reference?: string | null;
}

export const full = {
  simpleJson: { a: [1, { b: null }], quote: "it's" },
  simpleArray: ["a", "b c"],
  jsonb: { nested: { list: [1, "2", null] }, big: 12_345_678_901 },
  json: { " kept ": 1 },
  texts: ["a", 'with "quotes"', "back\\slash", "comma, brace}", null, ""],
  numbers: [
    [1, 2],
    [3, 4],
  ],
  kind: 'it\'s "quoted"',
  big: "9007199254740993",
  exact: "12345678901234567890.000000000000010",
  float: 0.1,
  bytes: Buffer.from([0, 1, 254, 255]),
  day: "2024-02-29",
  time: "23:59:59.999999",
  at: new Date("2026-01-02T03:04:05.678Z"),
  span: "1 mon 2 days 03:04:05.000006",
  place: "(1.5,-2)",
  path: "top.science.astronomy",
  pairs: { a: "1", 'b "c"': "d=>e" },
  words: "'cat':2 'fat':1",
  range: "[1,5)",
  period: '["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")',
  price: "$1,234.56",
  anyCase: "MiXed",
  address: "192.168.0.1/24",
  reference: "11111111-2222-4333-8444-555555555555",
};

export const specimenTables = [{ table: "specimen", entity: "Specimen" }];
