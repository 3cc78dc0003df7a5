import { type Kind, type Row, text } from "../kind.js";

const columns = { name: text };
const partitioned = [
  "create table $t (id int, year int, name text, primary key (id, year)) partition by list (year)",
  "create table $t_2025 partition of $t for values in (2025)",
  "create table $t_2026 partition of $t for values in (2026)",
];
const byYear = { key: { id: { type: "int" as const }, year: { type: "int" as const } }, columns };
const inYears: [Row, Row, Row] = [
  { id: 1, year: 2026, name: "Ada" },
  { id: 2, year: 2026, name: "Alan" },
  { id: 3, year: 2025, name: "Grace" },
];
const inNewYears = [
  { id: 4, year: 2026, name: "Joan" },
  { id: 5, year: 2026, name: "Kay" },
] as const;

/** The row that the partition had is in the past, and has no place in the live table. */
const gone = { isQuiet: true, doesNotFit: true };

function ofPartitions(name: string, migration: readonly string[], more: Partial<Kind> = {}): Kind {
  const shared = {
    before: byYear,
    after: byYear,
    create: partitioned,
    rows: inYears,
    past: inYears,
    fresh: inNewYears,
  };
  return { name, migration, ...shared, ...more };
}

/** Partitions that come and go with their rows. Nothing is deleted from the one that goes. */
export const partitions: readonly Kind[] = [
  ofPartitions("a partition is created", ["create table $t_2027 partition of $t for values in (2027)"], {
    fresh: [
      { id: 4, year: 2027, name: "Joan" },
      { id: 5, year: 2026, name: "Kay" },
    ],
    isStale: false,
  }),
  ofPartitions(
    "a table with rows is attached as a partition",
    [
      "create table $t_2024 (year int not null, name text, id int not null, primary key (id, year))",
      "insert into $t_2024 (id, year, name) values (1, 2024, 'Barbara'), (9, 2024, 'Niklaus')",
      "alter table $t attach partition $t_2024 for values in (2024)",
      // One that is made for next month must not stop anybody: until the install, its rows are just not in the log.
    ],
    { isStale: false },
  ),
  ofPartitions("a partition is detached", ["alter table $t detach partition $t_2025"], gone),
  ofPartitions("a partition is dropped", ["drop table $t_2025"], gone),
  ofPartitions(
    "a partition is dropped and made again with another row",
    [
      "drop table $t_2025",
      "create table $t_2025 partition of $t for values in (2025)",
      "insert into $t_2025 values (8, 2025, 'Tony')",
    ],
    { isQuiet: true },
  ),
  ofPartitions("a column of a partitioned table is renamed", ["alter table $t rename name to full_name"], {
    after: { ...byYear, columns: { full_name: text } },
    past: inYears.map(({ id, year, name: full_name }) => ({ id, year, full_name })),
    fresh: [
      { id: 4, year: 2026, full_name: "Joan" },
      { id: 5, year: 2025, full_name: "Kay" },
    ],
  }),
  ofPartitions(
    "a partitioned table gets a column with a constant",
    ["alter table $t add column plan text default 'free'"],
    {
      after: { ...byYear, columns: { name: text, plan: { ...text, default: "free" } } },
      past: inYears.map((row) => ({ ...row, plan: "free" })),
      fresh: [
        { id: 4, year: 2026, name: "Joan", plan: "gold" },
        { id: 5, year: 2025, name: "Kay", plan: null },
      ],
    },
  ),
];
