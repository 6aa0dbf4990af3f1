/**
 * Copies of the files of an embedded database while it is written: an online backup of PostgreSQL
 * (https://www.postgresql.org/docs/17/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP). Files are copied
 * while they change. The write-ahead log between start and stop, which is copied last, makes them consistent
 * when the copy is opened.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { FixativeError } from '../../../errors.ts';
import type { BackupEntry, Queryable } from '../../database.ts';
import type { Disk } from '../pglite-disk.ts';

interface BaseBackupDeps {
  readonly directory: string;
  readonly query: Queryable['query'];
  readonly disk: Disk;
}

/** Called between two pieces of a backup. @throws Error when the backup is to be cancelled. */
type Check = () => void;

/** Makes a checkpoint at once: writers wait for it, as for the checkpoint of each minute. */
const START = `SELECT pg_backup_start('fixative', true)`;
/** Archiving is off, so there is nothing to wait for. */
const STOP = 'SELECT lsn::text, labelfile AS label FROM pg_backup_stop(false)';

/** Contents that PostgreSQL makes again at its start. */
const LEFT_OUT =
  /^(?:postmaster\.(?:pid|opts)|backup_label\.old|(?:pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/.*|(?:.*\/)?pg_internal\.init|(?:.*\/)?pgsql_tmp.*)$/;
const CHUNK_BYTES = 256 * 1024;
const SEGMENT = /^[0-9A-F]{24}$/;
/** Bytes of a log segment, in bits. */
const SEGMENT_BITS = 24n;

export interface Backups {
  /** Whether a backup is being made. No checkpoint may be made then: it would remove log that is needed. */
  readonly isRunning: boolean;
  /** Begins a backup. @throws FixativeError CONFLICT while another one is made. */
  begin(): AsyncIterable<BackupEntry>;
  /** Cancels the backup that is being made, with an error. */
  cancel(error: Error): void;
}

export function makeBackups(deps: BaseBackupDeps): Backups {
  let isRunning = false;
  let reason: Error | null = null;
  const check = () => {
    if (reason) throw reason;
  };
  async function* run(): AsyncGenerator<BackupEntry> {
    try {
      yield* baseBackup(deps, check);
    } finally {
      isRunning = false;
    }
  }
  return {
    get isRunning() {
      return isRunning;
    },
    begin() {
      if (isRunning) {
        const message = 'Another backup is being made. Wait until it ends.';
        throw new FixativeError('CONFLICT', message, { retryable: true });
      }
      isRunning = true;
      reason = null;
      return run();
    },
    cancel(error) {
      reason = error;
    },
  };
}

/**
 * Yields the files of a backup, relative to the directory.
 * @throws FixativeError STORE_UNAVAILABLE when a log segment is missing.
 */
async function* baseBackup(
  { directory, query, disk }: BaseBackupDeps,
  check: Check,
): AsyncGenerator<BackupEntry> {
  await disk.synced(() => query(START));
  let isStarted = true;
  try {
    for await (const entry of filesBelow(directory)) {
      check();
      yield { ...entry, content: () => checked(entry.content(), check) };
    }
    const [stopped] = await query<{ lsn: string; label: string }>(STOP);
    isStarted = false;
    const { lsn, label } = stopped as NonNullable<typeof stopped>;
    yield* logSegments(directory, label, lsn);
    const text = Buffer.from(label);
    yield { name: 'backup_label', size: text.length, content: () => of(text) };
  } finally {
    if (isStarted) await query(STOP);
  }
}

async function* checked(content: AsyncIterable<Uint8Array>, check: Check): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    check();
    yield chunk;
  }
}

async function* of(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* filesBelow(directory: string): AsyncGenerator<BackupEntry> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const named = entries.map((entry) => ({
    name: path.relative(directory, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'),
    isDirectory: entry.isDirectory(),
  }));
  // A directory comes before its files.
  named.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, isDirectory } of named) {
    if (LEFT_OUT.test(name)) continue;
    if (isDirectory) yield { name, size: null, content: () => of(Buffer.alloc(0)) };
    else yield* fileOf(directory, name);
  }
}

/** Yields a file, unless PostgreSQL has deleted it since. */
async function* fileOf(directory: string, name: string): AsyncGenerator<BackupEntry> {
  const handle = await open(path.join(directory, name), 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!handle) return;
  try {
    const { size } = await handle.stat();
    yield { name, size, content: () => readExactly(handle, size) };
  } finally {
    await handle.close();
  }
}

/** A file may have been truncated since: what is missing is zeros, which the log replaces. */
async function* readExactly(handle: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; ) {
    const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, size - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    const chunk = bytesRead === 0 ? buffer : buffer.subarray(0, bytesRead);
    yield chunk;
    at += chunk.length;
  }
}

/** Yields the log segments from the start of the backup to its end, all of which must exist. */
async function* logSegments(directory: string, label: string, lsn: string): AsyncGenerator<BackupEntry> {
  const [, first = ''] = /\(file ([0-9A-F]{24})\)/.exec(label) ?? [];
  const last = segmentOf(first.slice(0, 8), lsn);
  const present = (await readdir(path.join(directory, 'pg_wal')))
    .filter((name) => SEGMENT.test(name) && name >= first && name <= last)
    .sort();
  if (present[0] !== first)
    throw new FixativeError(
      'STORE_UNAVAILABLE',
      `The log segment ${first} is missing. Make the backup again.`,
      {
        retryable: true,
      },
    );
  for (const name of present) yield* fileOf(directory, `pg_wal/${name}`);
}

/** Returns the name of the log segment of a position such as `0/214A580`. */
function segmentOf(timeline: string, lsn: string): string {
  const [high = '', low = ''] = lsn.split('/');
  const segment = (BigInt(`0x${low}`) >> SEGMENT_BITS).toString(16);
  return `${timeline}${high.padStart(8, '0')}${segment.padStart(8, '0')}`.toUpperCase();
}
