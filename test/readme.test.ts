import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { errorCodes } from "../src/index.js";
import { createDatabase } from "./database.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

const read = (file: string) => readFile(`${root}${file}`, "utf8");

/** The code blocks of one language under a heading. */
function blocksUnder(text: string, heading: string, language: string): string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  return [...section.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(
    (match) => match[1] ?? "",
  );
}

describe("the README's quick start", () => {
  it("compiles and runs as it is printed", async function () {
    this.timeout(60_000);
    const [code] = blocksUnder(await read("README.md"), "Quick start", "ts");
    expect(code).to.include("withEventLog");
    const folder = `${root}dist/readme`;
    await mkdir(folder, { recursive: true });
    await writeFile(`${folder}/quick-start.ts`, code ?? "");
    await run(process.execPath, [
      `${root}node_modules/typescript/bin/tsc`,
      ..."--ignoreConfig --module nodenext --target es2023 --strict --skipLibCheck --types node".split(" "),
      ..."--experimentalDecorators --emitDecoratorMetadata --useDefineForClassFields false".split(" "),
      `${folder}/quick-start.ts`,
    ]);
    const database = await createDatabase();
    try {
      const { stdout } = await run(process.execPath, [`${folder}/quick-start.js`], {
        env: { ...process.env, DATABASE_URL: database.url },
      });
      expect(stdout).to.include("update { balance: 50 } Ada { reason: 'first deposit' }");
      expect(stdout).to.include("[ { column: 'balance', before: 0, after: 50 } ]");
      expect(stdout).not.to.include("12-345");
      expect(stdout.trim().split("\n").slice(-3)).to.deep.equal(["0", "0", "true"]);
    } finally {
      await database.drop();
    }
  });
});

describe("the documents", () => {
  it("give every error code a section, and no section to a code that is gone", async () => {
    const sections = [...(await read("docs/errors.md")).matchAll(/^## (\w+)$/gm)].map((match) => match[1]);
    expect(sections).to.have.members([...errorCodes]);
  });

  it("link only to files that exist", async () => {
    const documents = (await readdir(`${root}docs`, { recursive: true })).filter((file) => file.endsWith(".md"));
    for (const file of ["README.md", "CONTRIBUTING.md", ...documents.map((name) => `docs/${name}`)]) {
      for (const [, target = ""] of (await read(file)).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        await read(join(dirname(file), target));
      }
    }
  });
});
