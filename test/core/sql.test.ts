import { expect } from "chai";
import { join, quoteIdentifier, quoteLiteral, raw, sql } from "../../src/core/sql.js";
import { createDatabase, query, type TestDatabase } from "../database.js";

describe("the sql tag", () => {
  it("makes parameters of values, and splices raw pieces and statements in with their parameters renumbered", () => {
    const inner = sql`a = ${1} or b = ${"x"}`;
    const { text, values } = sql`select ${raw("c")} from t where d = ${null} and (${inner}) and e = ${[2]}`;
    expect(text).to.equal("select c from t where d = $1 and (a = $2 or b = $3) and e = $4");
    expect(values).to.deep.equal([null, 1, "x", [2]]);
  });

  it("renumbers parameters past nine, and a statement that is used twice", () => {
    const many = join(
      Array.from({ length: 12 }, (_, index) => sql`${index}`),
      ", ",
    );
    const { text, values } = sql`select ${many}, ${many}`;
    expect(text).to.include("$12, $13").and.to.include("$24");
    expect(values).to.have.length(24);
  });

  it("leaves names and literals alone that hold what looks like a parameter", () => {
    const inner = sql`${raw(quoteIdentifier('costs $1 "net"'))} = ${1} and b = ${raw(quoteLiteral("it's $1"))}`;
    const { text } = sql`select ${0} where ${inner}`;
    expect(text).to.equal(`select $1 where "costs $1 ""net""" = $2 and b = 'it''s $1'`);
  });

  it("joins none to nothing", () => {
    expect(join([], " and ")).to.deep.equal({ text: "", values: [] });
  });

  it("takes an object of a caller for a parameter, whatever its keys are", () => {
    const { text, values } = sql`select ${{ text: "drop table t" }}`;
    expect(text).to.equal("select $1");
    expect(values).to.deep.equal([{ text: "drop table t" }]);
  });
});

describe("quoted names and literals", () => {
  let database: TestDatabase;
  before(async () => (database = await createDatabase()));
  after(() => database.drop());

  const hostile = ["simple", 'say "hi"', "o'brien; drop table t; --", "back\\slash\\'", "%I $1 ü 😀", "  blanks  "];

  it("come back from PostgreSQL as they were, whatever is in them", async () => {
    for (const standard of ["on", "off"]) {
      for (const text of hostile) {
        const [row] = await query<{ value: string }>(
          `${database.url}?options=${encodeURIComponent(`-c standard_conforming_strings=${standard} -c escape_string_warning=off`)}`,
          `select ${quoteLiteral(text)} as ${quoteIdentifier(text)}`,
        );
        expect(row, `${text} with standard_conforming_strings ${standard}`).to.deep.equal({ [text]: text });
      }
    }
  });
});
