import { expect } from "chai";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../../dev/bootstrap/root.mjs";

/** Whom each room may import, itself aside. The folders that are no rooms of the library are at the end. */
const MAY_IMPORT: Record<string, string[]> = {
  "src/core": [],
  entities: ["src/core"],
  "src/log": ["src/core", "entities"],
  subscribers: ["src/core", "entities", "src/log"],
  replay: ["src/core", "entities", "src/log"],
  "src/install": ["src/core", "entities", "src/log"],
  "src/activity": ["src/core", "entities", "src/log", "src/sinks"],
  "src/sinks": ["src/core", "entities", "src/log", "src/activity"],
  src: ["src/core", "entities", "src/log", "subscribers", "replay", "src/install", "src/activity", "src/sinks"],
  "src/cli": ["src"],
  "src/nestjs": ["src", "src/express", "src/fastify"],
  "src/express": ["src"],
  "src/fastify": ["src"],
  "src/testing": ["src", "src/log"],
  examples: ["src"],
  test: [],
  bench: [],
  dev: [],
};
const ROOMS = Object.keys(MAY_IMPORT);
const LIBRARY = ROOMS.filter((room) => !["examples", "test", "bench", "dev"].includes(room));
/** The surface is no folder but the files right below src; the others take part through one file each. */
const SURFACE = ["src/index.ts", "src/event-log.ts", "src/with-event-log.ts"];
const target = (room: string) => (room === "src" ? "src/index.ts" : `${room}/target.ts`);

interface Finding {
  code: string;
  help: string;
  filename: string;
}

describe("the rooms of the house", function () {
  this.timeout(60_000);

  let house: House;
  beforeEach(async () => void (house = await House.build()));
  afterEach(() => house.tearDown());

  it("let every import pass that goes the right way", async () => {
    for (const from of LIBRARY) {
      for (const to of [from, ...MAY_IMPORT[from]!]) {
        await house.write(importing(from, to), importOf(importing(from, to), target(to)));
      }
    }
    for (const from of ["test", "bench"]) {
      for (const to of LIBRARY) await house.write(importing(from, to), importOf(importing(from, to), target(to)));
    }
    await house.write("examples/a-demo/main.ts", importOf("examples/a-demo/main.ts", "src/index.ts"));
    await house.write("ormconfig.ts", importOf("ormconfig.ts", "src/index.ts"));
    expect(await house.lint()).to.deep.equal([]);
  });

  it("refuse every import that goes another way, with the sentence of the room", async () => {
    const sentences = await house.sentences();
    const planted = new Map<string, string>();
    for (const from of [...LIBRARY, "examples"]) {
      for (const to of ROOMS) {
        if (to === from || MAY_IMPORT[from]!.includes(to)) continue;
        // An example may lean on what the repository brings to develop it.
        if (from === "examples" && to === "dev") continue;
        const file = importing(from, to);
        await house.write(file, importOf(file, target(to)));
        planted.set(file, sentences.get(from)!);
        if (from === "src") continue;
        const deeper = importing(`${from}/deeper`, to);
        await house.write(deeper, importOf(deeper, target(to)));
        planted.set(deeper, sentences.get(from)!);
      }
    }
    for (const room of LIBRARY.filter((name) => name !== "src")) {
      const file = `${room}/imports-ormconfig.ts`;
      await house.write(file, importOf(file, "ormconfig.ts"));
      planted.set(file, sentences.get(room)!);
    }
    const found = await house.lint();
    expect(refusals(found)).to.deep.equal(planted);
    expect(new Set(found.map(({ code }) => code))).to.deep.equal(new Set(["eslint(no-restricted-imports)"]));
    expect(new Set(planted.values()), "a sentence that no violation was planted for").to.deep.equal(
      new Set(sentences.values()),
    );
  });

  it("take no file of the surface but index.ts for a way in", async () => {
    const sentences = await house.sentences();
    const expected = new Map<string, string>();
    for (const surface of SURFACE) {
      const name = surface.replaceAll("/", "-");
      for (const from of LIBRARY.concat("examples")) {
        const file = `${from}/imports-${name}`;
        const isDoor = MAY_IMPORT[from]!.includes("src") && surface === "src/index.ts";
        if (from === "src" || isDoor) continue;
        await house.write(file, importOf(file, surface));
        expected.set(file, sentences.get(from)!);
      }
    }
    expect(refusals(await house.lint())).to.deep.equal(expected);
  });

  const forms: Record<string, string> = {
    "a type": `import type { Thing } from "../log/target.js";\nexport const made: Thing = 1;\n`,
    "what it exports again": `export { target } from "../log/target.js";\n`,
    "what it loads later": `export const later = () => import("../log/target.js");\n`,
    "a side effect": `import "../log/target.js";\n`,
  };
  for (const [form, text] of Object.entries(forms)) {
    it(`refuse ${form} like any other import`, async () => {
      await house.write("src/core/planted.ts", text);
      expect(refusals(await house.lint())).to.have.key("src/core/planted.ts");
    });
  }

  it("hold no import cycle, of values or of types", async () => {
    await house.write("replay/a.ts", `import { b } from "./b.js";\nexport const a = () => b;\n`);
    await house.write("replay/b.ts", `import { a } from "./a.js";\nexport const b = () => a;\n`);
    await house.write("src/core/c.ts", `import type { D } from "./d.js";\nexport interface C { d: D }\n`);
    await house.write("src/core/d.ts", `import type { C } from "./c.js";\nexport interface D { c: C }\n`);
    const cycles = (await house.lint()).filter(({ code }) => code === "import(no-cycle)");
    expect(cycles.map(({ filename }) => filename).sort()).to.deep.equal([
      "replay/a.ts",
      "replay/b.ts",
      "src/core/c.ts",
      "src/core/d.ts",
    ]);
  });

  it("let no promise float, which takes a linter that knows the types", async () => {
    await house.write(
      "src/log/promises.ts",
      `export const write = async (): Promise<number> => 1;
export function floats(): void { write(); }
export function floatsInAMethod(): void { const log = { write }; log.write().then(() => 2); }
export async function misused(): Promise<boolean> { return (await write()) === 1 || (write() ? true : false); }
const three = (): number => 3;
export async function awaitsNothing(): Promise<void> { await three(); }
`,
    );
    const codes = (await house.lint()).map(({ code }) => code).sort();
    expect(codes).to.deep.equal([
      "typescript(await-thenable)",
      "typescript(no-floating-promises)",
      "typescript(no-floating-promises)",
      "typescript(no-misused-promises)",
    ]);
  });

  it("let no any in", async () => {
    await house.write("src/log/any.ts", `export const anything: any = 1;\n`);
    expect((await house.lint()).map(({ code }) => code)).to.deep.equal(["typescript(no-explicit-any)"]);
  });
});

/** A house of empty rooms under the real rules, in a folder of its own. */
class House {
  private constructor(private readonly folder: string) {}

  static async build(): Promise<House> {
    const house = new House(await mkdtemp(join(tmpdir(), "typeorm-chronicle-house-")));
    for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"]) {
      await cp(join(ROOT, name), join(house.folder, name));
    }
    await symlink(join(ROOT, "node_modules"), join(house.folder, "node_modules"), "dir");
    for (const file of new Set([...ROOMS.map(target), ...SURFACE])) {
      await house.write(file, "export const target = 1;\nexport type Thing = number;\n");
    }
    await house.write("ormconfig.ts", "export const target = 1;\n");
    return house;
  }

  async write(file: string, text: string): Promise<void> {
    const path = join(this.folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** The sentence of each room, as the rules have it. */
  async sentences(): Promise<Map<string, string>> {
    const config = JSON.parse(await readFile(join(this.folder, ".oxlintrc.json"), "utf8")) as Config;
    const sentences = new Map<string, string>();
    for (const { files, rules } of config.overrides) {
      const message = rules["no-restricted-imports"]?.[1].patterns[0]?.message;
      if (!message) continue;
      for (const pattern of files) sentences.set(pattern.replace(/\/\*\*$|\/\*\.ts$/, ""), message);
    }
    return sentences;
  }

  async lint(): Promise<Finding[]> {
    const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
    const args = [oxlint, "--type-aware", "--disable-nested-config", "--deny-warnings", "-f", "json"];
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, args, { cwd: this.folder, maxBuffer: 1 << 26 }, (_error, stdout) => resolve(stdout));
    });
    const { diagnostics, number_of_files: files } = JSON.parse(output) as Report;
    expect(files, "files linted").to.be.greaterThan(ROOMS.length);
    return diagnostics;
  }

  async tearDown(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Config {
  overrides: {
    files: string[];
    rules: { "no-restricted-imports"?: [string, { patterns: { message: string }[] }] };
  }[];
}

interface Report {
  diagnostics: Finding[];
  number_of_files: number;
}

function importing(from: string, to: string): string {
  return `${from}/imports-${to.replaceAll("/", "-")}.ts`;
}

function importOf(file: string, imported: string): string {
  const path = relative(dirname(file), imported).replaceAll("\\", "/").replace(/\.ts$/, ".js");
  return `import { target } from "${path.startsWith(".") ? path : `./${path}`}";\nexport const own = target;\n`;
}

function refusals(found: Finding[]): Map<string, string> {
  return new Map(found.map(({ filename, help }) => [filename, help] as const));
}
