/** Puts a backup in the place of the embedded database. */
import { existsSync } from 'node:fs';
import { access, mkdir, open, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FixativeError } from '../../../errors.ts';
import { readMigrations } from '../../migrations.ts';
import { databaseDirectoryOf, hasDatabase, unfinishedMarkOf } from '../data-directory.ts';
import { startPglite, syncDirectory } from '../pglite-disk.ts';
import { type ArchiveSink, type BackupFacts, readArchive } from './archive.ts';

/** Major version of the PostgreSQL that PGlite is: content of PG_VERSION. */
const POSTGRES_VERSION = '17';

export interface RestoredBackup {
  readonly facts: BackupFacts;
  /** Directory of the database that was replaced; null: there was none. */
  readonly replaced: string | null;
  /** Files of secrets that were missing and came from the backup. */
  readonly keys: readonly string[];
}

/**
 * Unpacks a backup beside the database, checks it, opens it once, and puts it in its place. The caller holds
 * the lock on the directory. A kill at any moment leaves the old database in its place, or the new one.
 * @param options.replace whether a database that exists is moved aside.
 * @throws FixativeError CONFLICT when there is a database and `replace` is false; MISMATCH for a backup that
 *   is damaged or of a newer version. Nothing is changed then.
 */
export async function restoreBackup(
  dataDirectory: string,
  source: () => Readable,
  options: { readonly replace: boolean },
): Promise<RestoredBackup> {
  await finishRestore(dataDirectory);
  // A restore that was interrupted before its database counted.
  await rm(path.join(dataDirectory, RESTORED), { recursive: true, force: true });
  const isThere = hasDatabase(dataDirectory);
  if (isThere && !options.replace) {
    const message = `${databaseDirectoryOf(dataDirectory)} has a database. Use --replace to move it aside, or name another DATA_DIR.`;
    throw new FixativeError('CONFLICT', message);
  }
  const unpacked = path.join(dataDirectory, 'backup.unpacked');
  await rm(unpacked, { recursive: true, force: true });
  try {
    for (const part of ['database', 'keys'])
      await mkdir(path.join(unpacked, part), { recursive: true, mode: 0o700 });
    const facts = await readArchive(source(), directorySink(unpacked));
    await requireKnown(facts);
    await openOnce(path.join(unpacked, 'database'));
    const keys = await takeKeys(path.join(unpacked, 'keys'), dataDirectory);
    const replaced = isThere
      ? `database.replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
      : null;
    await rename(path.join(unpacked, 'database'), path.join(dataDirectory, RESTORED));
    await note(dataDirectory, { replaced });
    await finishRestore(dataDirectory);
    return { facts, replaced: replaced && path.join(dataDirectory, replaced), keys };
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
}

const directorySink = (directory: string): ArchiveSink => ({
  directory: async (name) => void (await mkdir(path.join(directory, name), { recursive: true, mode: 0o700 })),
  async file(name, content, size) {
    const { bavail, bsize } = await statfs(directory);
    if (size > bavail * bsize)
      throw new FixativeError(
        'NO_SPACE',
        `${name} of the backup has ${size} bytes, more than the disk has free.`,
      );
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true, mode: 0o700 });
    await writeFile(path.join(directory, name), content, { mode: 0o600 });
  },
});

async function requireKnown({ postgresVersion, migrations }: BackupFacts): Promise<void> {
  const known = new Set((await readMigrations()).map(({ name }) => name));
  const newer = migrations.find((name) => !known.has(name));
  if (newer === undefined && postgresVersion === POSTGRES_VERSION) return;
  const what = newer === undefined ? `PostgreSQL ${postgresVersion}` : `the migration ${newer}`;
  const message = `The backup is of another version of Fixative: it has ${what}, which this version does not know. Restore it with the version that made it, or a newer one.`;
  throw new FixativeError('MISMATCH', message);
}

/** Opens the unpacked database, which replays its log, and closes it. Then all of it is on the disk. */
async function openOnce(directory: string): Promise<void> {
  // PostgreSQL expects these, and a backup leaves their contents out.
  for (const name of [
    'pg_notify',
    'pg_replslot',
    'pg_serial',
    'pg_snapshots',
    'pg_stat_tmp',
    'pg_subtrans',
    'pg_dynshmem',
  ])
    await mkdir(path.join(directory, name), { recursive: true, mode: 0o700 });
  const onEnd = (reason: string): never => {
    throw new FixativeError('MISMATCH', `The backup cannot be opened: ${reason}. Use another one.`);
  };
  const events = { onEnd, onFault: () => {}, onWrite: () => {} };
  const { pglite, disk } = await startPglite(directory, { isWritten: true }, events);
  await pglite.query('SELECT count(*) FROM generated_images');
  await disk.flush();
  await disk.synced(() => pglite.close());
  await rm(path.join(directory, 'backup_label.old'), { force: true });
}

/** Moves the secrets of a backup into a data directory, unless it has them. */
async function takeKeys(from: string, dataDirectory: string): Promise<string[]> {
  const taken: string[] = [];
  for (const name of await readdir(from)) {
    const place = path.join(dataDirectory, name);
    const isThere = await access(place).then(
      () => true,
      () => false,
    );
    if (isThere) continue;
    const handle = await open(path.join(from, name), 'r');
    await handle.sync().finally(() => handle.close());
    await rename(path.join(from, name), place);
    taken.push(name);
  }
  return taken;
}

const RESTORED = 'database.restored';
const NOTE = 'database.restore.json';

/** From this moment on, the restored database is the database. */
async function note(dataDirectory: string, steps: { readonly replaced: string | null }): Promise<void> {
  const file = path.join(dataDirectory, NOTE);
  const handle = await open(`${file}.new`, 'w');
  try {
    await handle.writeFile(JSON.stringify(steps));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  syncDirectory(dataDirectory);
}

/**
 * Puts a restored database in its place, if a restore was interrupted between its last steps. Call it before
 * the embedded database is opened. Does nothing otherwise.
 */
export async function finishRestore(dataDirectory: string): Promise<void> {
  const file = path.join(dataDirectory, NOTE);
  if (!existsSync(file)) return;
  const { replaced } = JSON.parse(await readFile(file, 'utf8')) as { replaced: string | null };
  const restored = path.join(dataDirectory, RESTORED);
  const database = databaseDirectoryOf(dataDirectory);
  if (existsSync(restored)) {
    if (replaced !== null && !existsSync(path.join(dataDirectory, replaced)))
      await rename(database, path.join(dataDirectory, replaced));
    else await rm(database, { recursive: true, force: true });
    await rm(unfinishedMarkOf(database), { force: true });
    await rename(restored, database);
    syncDirectory(dataDirectory);
  }
  await rm(file);
  syncDirectory(dataDirectory);
}
