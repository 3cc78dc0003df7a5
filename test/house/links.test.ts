import { expect } from "chai";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../../dev/bootstrap/root.mjs";

const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "code");

/** The anchors that a page's headings have on GitHub. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.+)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-");
    let name = anchor;
    for (let n = 1; anchors.has(name); n++) name = `${anchor}-${n}`;
    anchors.add(name);
  }
  return anchors;
}

describe("the links of README and docs", () => {
  it("lead to files and headings that are there", async () => {
    const docs = (await readdir(join(ROOT, "docs"), { recursive: true })).filter((name) => name.endsWith(".md"));
    const pages = [
      "README.md",
      "SECURITY.md",
      "CONTRIBUTING.md",
      "CHANGELOG.md",
      "bench/README.md",
      ...docs.map((name) => `docs/${name}`),
    ];
    const dead: string[] = [];
    let links = 0;
    for (const page of pages) {
      const text = await readFile(join(ROOT, page), "utf8");
      for (const [, target = ""] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        links++;
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path));
        const there = await readFile(join(ROOT, file), "utf8").catch(() => undefined);
        if (there === undefined || (anchor !== undefined && !anchorsOf(there).has(anchor)))
          dead.push(`${page}: ${target}`);
      }
    }
    expect(dead).to.deep.equal([]);
    expect(links).to.be.greaterThan(25);
  });

  it("lead from the README to every guide", async () => {
    const readme = await readFile(join(ROOT, "README.md"), "utf8");
    for (const guide of await readdir(join(ROOT, "docs/guides"))) expect(readme).to.include(`(docs/guides/${guide})`);
    for (const page of ["SECURITY.md", "docs/hardening.md"]) expect(readme).to.include(`(${page})`);
  });
});
