/**
 * Prepared database: a new embedded database after initdb and all migrations, in one file. initdb takes
 * several seconds, so `npm ci` makes the file (prisma/install.js) and a first start unpacks it. A file that
 * is damaged, or was made from other migrations or another PGlite, is not used. It holds no rows but the
 * record of migrations. Each database made from it gets an identity of its own (identity.ts).
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

/** Path of the file that `npm ci` makes. */
export const TEMPLATE_FILE = fileURLToPath(
  new URL('../../../node_modules/.cache/fixative/database.template', import.meta.url),
);

/** First line of the file. The rest is compressed. */
interface Head {
  /** Hash of PGlite's version and the migrations. */
  readonly fingerprint: string;
  /** Hash of the rest of the file. */
  readonly sha256: string;
}

/** First line of the compressed part. The contents of the files follow. `size` is null for a directory. */
type Entries = readonly { readonly name: string; readonly size: number | null }[];

export interface Template {
  /** Writes the files of a new database into an empty directory. Does not sync them. */
  unpack(directory: string): Promise<void>;
}

/** More than the 40 MB of unpacked files: decompressing in one chunk takes half the time. */
const CHUNK_BYTES = 64 * 1024 * 1024;

/** Returns the prepared database, or a text that says why it cannot be used. */
export async function readTemplate(file: string): Promise<Template | string> {
  const content = await readFile(file).catch((error: NodeJS.ErrnoException) => error);
  if (!Buffer.isBuffer(content)) {
    return content.code === 'ENOENT'
      ? `${file}, which \`npm ci\` makes, does not exist`
      : `${file} cannot be read (${content.message})`;
  }
  const [head, rest] = cutLine<Head>(content);
  if (head?.sha256 !== hash('sha256', rest)) return `${file} is damaged`;
  if (head.fingerprint !== (await fingerprint())) return `${file} was made by another version`;
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
      // A thousand small files: synchronous writes take half the time, and nothing else runs yet.
      for (const [name, bytes] of files) writeFileSync(path.join(directory, name), bytes);
    },
  };
}

/**
 * Makes the file, atomically.
 * @throws Error when it cannot be written.
 */
export async function makeTemplate(file: string): Promise<void> {
  const directory = path.dirname(file);
  await mkdir(directory, { recursive: true });
  // Beside the file, so that leftovers of a killed installation are deleted with `node_modules`.
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

/** Makes a new database. Does not use Prisma's client, which `npm ci` generates at the same time. */
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
    // Its files are read and deleted, so no flush is needed.
    await pglite.close();
  }
}

/** Returns a hash of everything that a new database is made from. */
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

/** Returns the first line parsed as JSON, or null, and the bytes after it. */
function cutLine<Value>(content: Buffer): [Value | null, Buffer] {
  const end = content.indexOf('\n');
  try {
    return [JSON.parse(content.toString('utf8', 0, end)) as Value, content.subarray(end + 1)];
  } catch {
    return [null, content];
  }
}
