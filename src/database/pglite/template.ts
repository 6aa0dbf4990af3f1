/**
 * A prepared embedded database: a new one after initdb and every migration, in one file. initdb takes several
 * seconds, so `npm ci` makes the file (prisma/install.js) and a first start unpacks it. The file says what it
 * was made from; one of other migrations or of another PGlite, and one that is damaged, is not used. It holds
 * no rows but the record of the migrations, and each database that is made from it has an identity of its own
 * (identity.ts).
 */
import { createHash, hash, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { SETTINGS, settingStatement } from '../driver/session.ts';
import { migrate } from '../migrate.ts';
import { readMigrations } from '../migrations.ts';
import { renewIdentity } from './identity.ts';
import { startPglite } from './pglite-disk.ts';

/** Where `npm ci` keeps it. */
export const TEMPLATE_FILE = fileURLToPath(
  new URL('../../../node_modules/.cache/fixative/database.template', import.meta.url),
);

/** The first line of the file; what follows is compressed. */
interface Head {
  /** Of what it was made from. */
  readonly fingerprint: string;
  /** Of the rest of the file. */
  readonly sha256: string;
}

/** The first line of what is compressed; the content of each file follows. A directory has no size. */
type Entries = readonly { readonly name: string; readonly size: number | null }[];

export interface Template {
  /** Writes the files of a new database into an empty directory; they are not on the disk yet. */
  unpack(directory: string): Promise<void>;
}

/** More than what is unpacked, which has forty megabytes: in one piece it takes half the time. */
const CHUNK_BYTES = 64 * 1024 * 1024;

/** Returns the prepared database, or in words why there is none that can be used. */
export async function readTemplate(file: string): Promise<Template | string> {
  const content = await readFile(file).catch((error: NodeJS.ErrnoException) => error);
  if (!Buffer.isBuffer(content)) {
    return content.code === 'ENOENT'
      ? `${file}, which \`npm ci\` makes, is not there`
      : `${file} cannot be read (${content.message})`;
  }
  const [head, rest] = cutLine<Head>(content);
  if (head?.sha256 !== hash('sha256', rest)) return `${file} is damaged`;
  if (head.fingerprint !== (await fingerprint())) return `${file} is of another version`;
  return {
    async unpack(directory) {
      const [entries, contents] = cutLine<Entries>(
        await promisify(zstdDecompress)(rest, { chunkSize: CHUNK_BYTES }),
      );
      const files = new Map<string, Buffer>();
      let at = 0;
      for (const { name, size } of entries ?? []) {
        if (size === null) mkdirSync(path.join(directory, name));
        else files.set(name, contents.subarray(at, at + size));
        at += size ?? 0;
      }
      renewIdentity(files);
      // A thousand small files: half the time of asynchronous writes, and nothing else goes on yet.
      for (const [name, bytes] of files) writeFileSync(path.join(directory, name), bytes);
    },
  };
}

/**
 * Makes the file. It appears whole or not at all.
 * @throws Error where it cannot be written.
 */
export async function makeTemplate(file: string): Promise<void> {
  const directory = path.dirname(file);
  await mkdir(directory, { recursive: true });
  // Beside the file, so that what a killed installation leaves goes with `node_modules`.
  const scratch = await mkdtemp(path.join(directory, 'making-'));
  const writing = `${file}.${randomUUID()}`;
  try {
    await makeDatabase(scratch);
    const rest = await promisify(zstdCompress)(await packed(scratch));
    const head: Head = { fingerprint: await fingerprint(), sha256: hash('sha256', rest) };
    await writeFile(writing, [line(head), rest]);
    await rename(writing, file);
  } finally {
    await rm(writing, { force: true });
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Without Prisma's client, which `npm ci` generates at the same time. */
async function makeDatabase(directory: string): Promise<void> {
  const { pglite } = await startPglite(
    directory,
    {},
    {
      onFault: () => {},
      onWrite: () => {},
      onEnd(reason) {
        throw new Error(reason);
      },
    },
  );
  const query = async <Row>(text: string, values: readonly unknown[] = []) =>
    (await pglite.query<Row>(text, [...values])).rows;
  const executeScript = async (script: string) => void (await pglite.exec(script));
  try {
    const session = settingStatement(SETTINGS);
    await pglite.query(session.text, session.values);
    await migrate({ schema: null, query, exclusively: (_name, work) => work({ query, executeScript }) });
  } finally {
    // Its files are read and thrown away: nothing has to be on the disk.
    await pglite.close();
  }
}

/** Changes with everything that a new database is made from. */
async function fingerprint(): Promise<string> {
  const engine = path.join(
    createRequire(import.meta.url).resolve('@electric-sql/pglite'),
    '../../package.json',
  );
  const { version } = JSON.parse(await readFile(engine, 'utf8')) as { version: string };
  const made = createHash('sha256').update(`1 ${version}`);
  for (const { name, sql } of await readMigrations()) made.update(`\0${name}\0${sql}`);
  return made.digest('hex');
}

async function packed(directory: string): Promise<Buffer> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  const entries: { name: string; size: number | null }[] = [];
  const contents: Buffer[] = [];
  for (const entry of found) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(directory, file).replaceAll(path.sep, '/');
    const content = entry.isDirectory() ? null : await readFile(file);
    entries.push({ name, size: content?.length ?? null });
    if (content) contents.push(content);
  }
  return Buffer.concat([line(entries), ...contents]);
}

const line = (value: unknown) => Buffer.from(`${JSON.stringify(value)}\n`);

/** Returns the first line as a value, null where it is none, and what follows it. */
function cutLine<Value>(content: Buffer): [Value | null, Buffer] {
  const end = content.indexOf('\n');
  try {
    return [JSON.parse(content.toString('utf8', 0, end)) as Value, content.subarray(end + 1)];
  } catch {
    return [null, content];
  }
}
