import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import { createDatabase, query } from "../database.js";
import { UserProject } from "../user-project.js";

interface Block {
  readonly language: string;
  readonly file: string;
  readonly text: string;
}

/** A guide's blocks that name a file: its examples, and under the name of a program what it prints. */
async function blocksOf(guide: string): Promise<Block[]> {
  const text = await readFile(join(ROOT, "docs/guides", guide), "utf8");
  return [...text.matchAll(/^```(\w+) (\S+)\n([\s\S]*?)^```/gm)].map(([, language = "", file = "", code = ""]) => ({
    language,
    file,
    text: code,
  }));
}

/**
 * Compiles a guide's examples as a user's project and runs its programs in their order, on a database of their own. Roles that they
 * make are dropped afterwards.
 */
async function printsWhatItSays(
  guide: string,
  programs: readonly string[],
  roles: readonly string[] = [],
): Promise<void> {
  const blocks = await blocksOf(guide);
  const examples = blocks.filter(({ language }) => language === "ts");
  const project = await UserProject.make({ type: "module" });
  const database = await createDatabase();
  try {
    for (const { file, text } of examples) await project.write(file, text);
    await project.compile(...examples.map(({ file }) => file));
    for (const program of programs) {
      const { stdout } = await project.run(program, { DATABASE_URL: database.url, NO_COLOR: "1" });
      expect(stdout, program).to.equal(blocks.find(({ file }) => file === program)?.text ?? "");
    }
  } finally {
    await project.remove();
    for (const role of roles) await query(database.url, `drop owned by ${role}; drop role ${role}`);
    await database.drop();
  }
}

describe("the guides to replay", function () {
  this.timeout(120_000);

  it("change an entity's shape and read its past in the new one", async () => {
    await printsWhatItSays("changing-an-entitys-shape.md", ["release-1.js", "release-2.js"]);
  });

  it("look at the past, go back to it and come back again", async () => {
    await printsWhatItSays("time-travel.md", ["time-travel.js"]);
  });

  it("operate the log: verify it, mend it, read the past beside the present, follow it", async () => {
    await printsWhatItSays("operating.md", ["nightly.js", "shadow.js", "follow.js"]);
  });

  it("adopt the log on a database that has rows, with a role for the application", async () => {
    await printsWhatItSays("adopting.md", ["before.js", "deploy.js", "application.js", "read.js"], ["shop_app"]);
  });

  it("erase a person's data, also after a restore", async () => {
    await printsWhatItSays("sensitive-data.md", ["erasure.js", "restored.js"]);
  });

  it("keep what another tool recorded, beside the log and out of replays", async () => {
    await printsWhatItSays("coming-from-others.md", ["adopt.js"]);
  });

  it("bring back what was done outside as records, and do it no second time", async () => {
    await printsWhatItSays("side-effects.md", ["main.js"]);
  });
});
