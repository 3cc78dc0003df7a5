import { expect } from "chai";
import { createDatabase, type TestDatabase } from "../database.js";
import type { Complaints } from "./complaints.js";
import { situations } from "./kind.js";
import { kinds } from "./kinds.js";
import { proveKind } from "./prove.js";

const captures = ["trigger", "subscriber"] as const;

/** Kinds of DDL, each with rows at every time of a migration, under both ways of capture. */
for (const [theme, list] of Object.entries(kinds)) {
  describe(`the log follows ${theme}`, () => {
    let databases: readonly TestDatabase[];
    before(async () => {
      databases = await Promise.all(captures.map(() => createDatabase()));
    });
    after(() => Promise.all(databases.map((database) => database.drop())));

    for (const kind of list) {
      describe(kind.name, () => {
        let complaints: readonly Complaints[];
        before(async () => {
          // Each has a database to itself, so they take half the time together.
          const prove = (database: TestDatabase, index: number) =>
            proveKind(kind, captures[index] ?? "trigger", database);
          complaints = await Promise.all(databases.map(prove));
        });
        for (const [index, capture] of captures.entries()) {
          for (const { name, table } of situations) {
            it(`is right for ${name}, under ${capture} capture`, () => {
              const found = complaints[index]?.of(table) ?? ["there is no result"];
              if (found.length > 0) expect.fail(["", ...found].join("\n      - "));
            });
          }
        }
      });
    }
  });
}
