import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../dev/bootstrap/root.mjs";

const run = promisify(execFile);

export interface ProjectOptions {
  readonly type: "module" | "commonjs";
  /** A folder of node_modules that goes before the repository's own. */
  readonly modules?: string | undefined;
  /** Packages that this user has not installed. */
  readonly without?: readonly string[] | undefined;
}

/**
 * A project of a user of the package, in a folder of its own: the package is a copy of what would be published, so that it
 * finds the project's frameworks and not the repository's.
 */
export class UserProject {
  private constructor(readonly folder: string) {}

  static async make({ type, modules, without = [] }: ProjectOptions): Promise<UserProject> {
    const project = new UserProject(await mkdtemp(join(tmpdir(), "typeorm-chronicle-user-")));
    await project.write("package.json", JSON.stringify({ name: "a-user", private: true, type }));
    const own = modules === undefined ? [] : await installed(join(ROOT, modules));
    const links = new Map([...(await installed(join(ROOT, "node_modules"))), ...own]);
    for (const name of ["typeorm-chronicle", ...without]) links.delete(name);
    for (const [name, path] of links) await link(path, join(project.folder, "node_modules", name));
    const copy = join(project.folder, "node_modules/typeorm-chronicle");
    await cp(join(ROOT, "package.json"), join(copy, "package.json"), { recursive: true });
    for (const room of ["src", "entities", "subscribers", "replay"]) {
      await cp(join(ROOT, "dist", room), join(copy, "dist", room), { recursive: true });
    }
    return project;
  }

  async write(file: string, text: string): Promise<void> {
    const path = join(this.folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** Compiles as the project's users would, with declarations checked too. Throws what the compiler says. */
  async compile(...files: string[]): Promise<void> {
    const options =
      "--ignoreConfig --module nodenext --target es2023 --strict --skipLibCheck --types node --experimentalDecorators --emitDecoratorMetadata --useDefineForClassFields false";
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    try {
      await run(process.execPath, [tsc, ...options.split(" "), ...files], { cwd: this.folder });
    } catch (error) {
      throw new Error((error as { stdout: string }).stdout, { cause: error });
    }
  }

  run(file: string, env: Record<string, string> = {}): Promise<{ stdout: string; stderr: string }> {
    return run(process.execPath, [file], { cwd: this.folder, env: { ...process.env, ...env } });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The packages of a node_modules folder, and where they are. */
async function installed(folder: string): Promise<[string, string][]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
  const packages = await Promise.all(
    names.map(async (name) =>
      name.startsWith("@") ? (await readdir(join(folder, name))).map((inner) => `${name}/${inner}`) : [name],
    ),
  );
  return packages.flat().map((name) => [name, join(folder, name)]);
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path, "junction");
}
