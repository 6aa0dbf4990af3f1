/** The archive of a backup, on generated and hostile files, and the backup of a database that is written. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BackupEntry } from '../../src/database/database.ts';
import { readArchive, writeArchive } from '../../src/database/pglite/backup/archive.ts';
import { makeBackups } from '../../src/database/pglite/backup/base-backup.ts';
import { finishRestore, restoreBackup } from '../../src/database/pglite/backup/restore.ts';
import { startPglite } from '../../src/database/pglite/pglite-disk.ts';
import { eventually, openTestApp, unpackTemplate } from '../harness.ts';
import { makeRandom } from '../pictures.ts';

const FACTS = { createdAt: '2026-12-01T00:00:00Z', postgresVersion: '17', migrations: ['a', 'b'] };
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Generates files, some empty, some larger than a chunk, in directories. */
function makeFiles(seed: number): Map<string, Buffer> {
  const random = makeRandom(seed);
  const files = new Map<string, Buffer>();
  for (let i = 0; i < 30; i++) {
    const size = random() < 0.2 ? 0 : Math.floor(random() ** 3 * 700_000);
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; at += 97) bytes[at] = Math.floor(random() * 256);
    files.set(`database/d${i % 4}/f_${i}.x`, bytes);
  }
  return files;
}

async function* entriesOf(files: ReadonlyMap<string, Buffer>): AsyncGenerator<BackupEntry> {
  for (let i = 0; i < 4; i++) yield { name: `database/d${i}`, size: null, content: () => Readable.from([]) };
  for (const [name, bytes] of files)
    yield {
      name,
      size: bytes.length,
      async *content() {
        for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
      },
    };
}

/** Reads an archive. @returns hash of each file, by name. */
async function readFiles(archive: Buffer): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const facts = await readArchive(Readable.from(archive), {
    directory: async () => {},
    async file(name, content) {
      found.set(name, sha256(await buffer(Readable.from(content))));
    },
  });
  expect(facts).toEqual(FACTS);
  return found;
}

const damaged = expect.objectContaining({
  code: 'MISMATCH',
  message: expect.stringContaining('The backup cannot be used'),
});

test.each([1, 2, 3, 4])(
  'an archive has every file; one that is cut or changed anywhere is refused (seed %i)',
  async (seed) => {
    const files = makeFiles(seed);
    const archive = await buffer(writeArchive(entriesOf(files), FACTS));
    expect(await readFiles(archive)).toEqual(
      new Map([...files].map(([name, bytes]) => [name, sha256(bytes)])),
    );
    const random = makeRandom(seed + 100);
    for (let i = 0; i < 15; i++) {
      const at = Math.floor(random() * archive.length);
      await expect(readArchive(Readable.from(archive.subarray(0, at))), `cut at ${at}`).rejects.toEqual(
        damaged,
      );
      const changed = Buffer.from(archive);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at);
      // A bit of the format itself may mean nothing; then every file is whole.
      await readFiles(changed).then(
        (found) => expect(found).toEqual(new Map([...files].map(([name, bytes]) => [name, sha256(bytes)]))),
        (error) => expect(error, `changed at ${at}`).toEqual(damaged),
      );
    }
  },
);

test('an error of the entries ends the archive before its manifest', async () => {
  async function* broken(): AsyncGenerator<BackupEntry> {
    yield* entriesOf(makeFiles(9));
    throw new Error('the disk is gone');
  }
  await expect(buffer(writeArchive(broken(), FACTS))).rejects.toThrow('the disk is gone');
});

test.each([
  ['database/../../root-token', 'file'],
  ['/etc/passwd', 'file'],
  ['database/x', 'symlink'],
  ['database/x', 'link'],
  ['elsewhere/x', 'file'],
  ['database', 'file'],
] as const)('an entry %s that is a %s is refused before anything is written', async (name, type) => {
  const archive = pack();
  if (type === 'file') archive.entry({ name }, 'x');
  else archive.entry({ name, type, linkname: '/etc/passwd' });
  archive.entry(
    { name: 'manifest.json' },
    JSON.stringify({ format: 1, ...FACTS, files: [[name, 1, sha256(Buffer.from('x'))]] }),
  );
  archive.finalize();
  const written: string[] = [];
  const sink = {
    directory: async (each: string) => void written.push(each),
    file: async (each: string) => void written.push(each),
  };
  const bytes = zstdCompressSync(await buffer(archive));
  await expect(readArchive(Readable.from(bytes), sink)).rejects.toEqual(damaged);
  expect(written).toEqual([]);
});

describe('a restore', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-restore-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Makes a directory that holds its own name. */
  async function make(name: string): Promise<void> {
    await mkdir(path.join(directory, name));
    await writeFile(path.join(directory, name, 'PG_VERSION'), name);
  }
  const present = async () => (await readdir(directory)).sort();
  const current = () => readFile(path.join(directory, 'database', 'PG_VERSION'), 'utf8');
  const note = (replaced: string | null) =>
    writeFile(path.join(directory, 'database.restore.json'), JSON.stringify({ replaced }));

  test('that was killed before its database counted leaves the old one', async () => {
    await make('database');
    await make('database.restored');
    await finishRestore(directory);
    expect(await current()).toBe('database');
  });

  test('is finished from each of its last steps', async () => {
    await make('database.restored');
    await writeFile(path.join(directory, 'database.unfinished'), '');
    await note(null);
    await finishRestore(directory);
    expect([await present(), await current()]).toEqual([['database'], 'database.restored']);

    await make('database.restored');
    await note('database.replaced-1');
    await finishRestore(directory);
    expect([await present(), await current()]).toEqual([
      ['database', 'database.replaced-1'],
      'database.restored',
    ]);

    // Killed between the two renames.
    await rename(path.join(directory, 'database'), path.join(directory, 'database.replaced-2'));
    await make('database.restored');
    await note('database.replaced-2');
    await finishRestore(directory);
    expect(await present()).toEqual(['database', 'database.replaced-1', 'database.replaced-2']);
    // Killed after both.
    await note('database.replaced-2');
    await finishRestore(directory);
    expect([await present(), await current()]).toEqual([
      ['database', 'database.replaced-1', 'database.replaced-2'],
      'database.restored',
    ]);
  });

  test.each([
    [{ migrations: ['20260101000000_known_to_nobody'] }, 'known_to_nobody'],
    [{ migrations: [], postgresVersion: '99' }, 'PostgreSQL 99'],
  ])('of a backup of another version is refused: %j', async (facts, said) => {
    const files = new Map([['database/d0/x', Buffer.from('x')]]);
    const archive = await buffer(writeArchive(entriesOf(files), { ...FACTS, ...facts }));
    const restored = restoreBackup(directory, () => Readable.from(archive), { replace: false });
    await expect(restored).rejects.toThrow(said);
    expect(await present()).toEqual([]);
  });
});

test.skipIf(process.env.TEST_DATABASE_URL)(
  'a backup that cannot be recorded makes way for the next',
  async () => {
    const app = await openTestApp();
    const database = app.services.database as { query: typeof app.database.query };
    const { query } = database;
    database.query = async (text, ...rest) => {
      if (text.includes('audit_entries')) throw new Error('no');
      return query(text, ...rest);
    };
    expect((await app.fetch('/api/backup')).status).toBe(500);
    database.query = query;
    await eventually(async () => {
      const response = await app.fetch('/api/backup');
      expect(response.status).toBe(200);
      await readArchive(Readable.from(Buffer.from(await response.arrayBuffer())));
    });
    const { token } = await app.services.tokens.create({
      name: 'reader',
      scopes: ['images:read'],
      userId: null,
    });
    expect((await app.fetch('/api/backup', { headers: { authorization: `Bearer ${token}` } })).status).toBe(
      403,
    );
    await app.close();
  },
  60_000,
);

describe('the database', () => {
  test('is written while it is copied, and a backup that is cancelled makes way for the next', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'fixative-backup-'));
    const events = {
      onEnd: (reason: string): never => {
        throw new Error(reason);
      },
      onFault: () => {},
      onWrite: () => {},
    };
    await unpackTemplate(directory);
    const { pglite, disk } = await startPglite(directory, { isWritten: true }, events);
    const query = async (text: string, values: readonly unknown[] = []) =>
      (await pglite.query(text, values as unknown[])).rows as never;
    const backups = makeBackups({ directory, query, disk });
    await pglite.exec('CREATE TABLE counted (n int)');
    const first = backups.begin();
    expect(() => backups.begin()).toThrow('Another backup');
    const taken: string[] = [];
    await expect(
      (async () => {
        for await (const { name } of first) {
          taken.push(name);
          if (taken.length === 5) backups.cancel(new Error('enough'));
        }
      })(),
    ).rejects.toThrow('enough');
    expect(taken).toHaveLength(5);
    expect(backups.isRunning).toBe(false);

    const names: string[] = [];
    for await (const { name, size, content } of backups.begin()) {
      names.push(name);
      let bytes = 0;
      for await (const chunk of content()) bytes += chunk.length;
      expect(bytes, name).toBe(size ?? 0);
      await pglite.query('INSERT INTO counted VALUES (1)');
    }
    expect(names.at(-1)).toBe('backup_label');
    expect(names.filter((name) => name.startsWith('pg_wal/')).length).toBeGreaterThan(0);
    await pglite.close();
    await rm(directory, { recursive: true, force: true });
  }, 60_000);
});
