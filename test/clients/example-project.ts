/**
 * Installs a folder of examples/ as a project of its own, without a network: a copy elsewhere, with links to
 * the packages that its package.json names, in the versions that it names.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where packages are: ours, and those of the front end that clients.test.ts installs. */
const PLACES = ['node_modules', 'test/clients/front-end/node_modules'].map((place) => path.join(ROOT, place));

interface Manifest {
  readonly version?: string;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const readManifest = async (directory: string): Promise<Manifest | null> =>
  readFile(path.join(directory, 'package.json'), 'utf8').then(
    (text) => JSON.parse(text) as Manifest,
    () => null,
  );

/** Returns where a package is in the version that is named; null: nowhere. */
async function findPackage(name: string, version: string): Promise<string | null> {
  for (const place of PLACES) {
    const directory = path.join(place, name);
    if ((await readManifest(directory))?.version === version) return directory;
  }
  return null;
}

async function link(project: string, name: string, directory: string): Promise<void> {
  const place = path.join(project, 'node_modules', name);
  await mkdir(path.dirname(place), { recursive: true });
  await symlink(directory, place);
  const { bin = {} } = (await readManifest(directory)) ?? {};
  const programs = typeof bin === 'string' ? { [path.basename(name)]: bin } : bin;
  for (const [program, file] of Object.entries(programs))
    await symlink(path.join(directory, file), path.join(project, 'node_modules/.bin', program)).catch(
      () => {},
    );
}

export interface ExampleProject {
  readonly directory: string;
  /** Runs a script of package.json by npm, and returns what it prints. */
  script(name: string, env: Readonly<Record<string, string>>, ...words: string[]): Promise<string>;
  remove(): Promise<void>;
}

/**
 * Installs an example.
 * @param without packages to leave out, because a test does not run them.
 * @throws if a package that it names is nowhere.
 */
export async function installExample(name: string, without: readonly string[] = []): Promise<ExampleProject> {
  const directory = await mkdtemp(path.join(tmpdir(), `fixative-example-${name}-`));
  await cp(path.join(ROOT, 'examples', name), directory, { recursive: true });
  await mkdir(path.join(directory, 'node_modules/.bin'), { recursive: true });
  const { dependencies = {}, devDependencies = {} } = (await readManifest(directory)) ?? {};
  for (const [each, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (without.includes(each)) continue;
    const found = await findPackage(each, version);
    if (found === null) throw new Error(`examples/${name} names ${each} ${version}, which is not installed.`);
    await link(directory, each, found);
  }
  return {
    directory,
    async script(script, env, ...words) {
      const all = { ...process.env, NODE_ENV: '', ...env };
      const options = { cwd: directory, env: all, timeout: 120_000 };
      const { stdout } = await run('npm', ['run', '--silent', script, '--', ...words], options).catch(
        (error: Error & { stdout: string; stderr: string }) => {
          throw new Error(`${name}: npm run ${script} failed\n${error.stdout}\n${error.stderr}`);
        },
      );
      return stdout;
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
