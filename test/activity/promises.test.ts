import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { ROOT } from "../../dev/bootstrap/root.mjs";

describe("the promises of the activity log", () => {
  it("name tests that there are, by file and title", async () => {
    const page = await readFile(join(ROOT, "docs/activity-promises.md"), "utf8");
    const rows = [...page.matchAll(/^\| (.+?) +\| `(test\/[\w./-]+)` +\| (.+?) +\|$/gm)];
    expect(rows.length, "rows").to.equal(page.split("\n").filter((line) => line.includes("| `test/")).length);
    // Those that begin with three dots belong to the one above.
    expect(rows.filter(([, promise]) => promise?.startsWith("…") === false)).to.have.length(20);
    for (const [, promise, file = "", title = ""] of rows) {
      const source = await readFile(join(ROOT, file), "utf8");
      const titles = [...source.matchAll(/\bit\(\s*(["'`])((?:\\.|(?!\1)[^])*)\1/g)].map(([, , text = ""]) => text);
      expect(
        titles.some((text) => text.includes(title)),
        `${promise}: ${file} has no test "${title}"`,
      ).to.equal(true);
    }
  });
});
