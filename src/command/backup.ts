import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { fetch } from 'undici';
import { localUrl } from '../config/local-url.ts';
import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { readArchive } from '../database/pglite/backup/archive.ts';
import { openBackup, requireEmbedded } from '../database/pglite/backup/backup.ts';
import { restoreBackup } from '../database/pglite/backup/restore.ts';
import { lockDataDirectory } from '../database/pglite/data-directory.ts';
import { syncDirectory } from '../database/pglite/pglite-disk.ts';
import { FixativeError, InputError } from '../errors.ts';
import { formatBytes } from '../storage/spool/format-bytes.ts';
import { EXIT, type ExitCode, makeProgress, type Terminal } from './terminal.ts';

export interface BackupCommand {
  readonly file: string;
  /** Address of the server to ask; null: the one on this machine, if it runs. */
  readonly url: string | null;
  readonly processId: number;
}

/**
 * `backup FILE`: writes a backup of the embedded database, through the server if it runs. The file appears
 * when it is complete and checked.
 * @param openDatabase opens the database while no server uses it.
 */
export async function runBackup(
  config: Config,
  { file, url, processId }: BackupCommand,
  openDatabase: () => Promise<{ database: Database; release: () => Promise<void> }>,
  terminal: Terminal,
): Promise<ExitCode> {
  if (url === null) {
    requireEmbedded(config.databaseUrl);
    if (!config.stores.includes('database'))
      terminal.note(
        'STORES has no `database`, so the backup has no bytes of images. Back up the stores too.\n',
      );
  }
  if (url !== null || (await isInUse(config.dataDirectory, processId))) {
    const address = url ?? localUrl(config);
    if (address === null) {
      const message = 'The server has chosen its port itself (PORT=0). Name its address: --url http://…';
      throw new InputError('INVALID_INPUT', message);
    }
    return write(await askServer(config, address), file, terminal);
  }
  const { database, release } = await openDatabase();
  try {
    return await write(await openBackup(database, config.dataDirectory), file, terminal);
  } finally {
    await release();
  }
}

/** Returns whether another process has the data directory. */
async function isInUse(dataDirectory: string, processId: number): Promise<boolean> {
  try {
    await (await lockDataDirectory(dataDirectory, processId)).release();
    return false;
  } catch (error) {
    if (error instanceof FixativeError && error.code === 'STORE_UNAVAILABLE') return true;
    throw error;
  }
}

async function askServer(config: Config, address: string): Promise<Readable> {
  const token = config.rootToken ?? (await rootTokenOf(config.dataDirectory));
  const response = await fetch(new URL('/api/backup', address), {
    headers: { authorization: `Bearer ${token}` },
  }).catch((cause: Error) => {
    const reason = (cause.cause as Error | undefined)?.message ?? cause.message;
    const message = `The server at ${address} does not answer: ${reason}. Name its address: --url http://…`;
    throw new FixativeError('STORE_UNAVAILABLE', message, { cause });
  });
  if (response.ok && response.body) return Readable.fromWeb(response.body as never);
  const text = await response.text();
  const said = /"message"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  const message = said ? (JSON.parse(said) as string) : `it answered with status ${response.status}`;
  throw new FixativeError('STORE_UNAVAILABLE', `The server at ${address} made no backup: ${message}`);
}

async function rootTokenOf(dataDirectory: string): Promise<string> {
  return readFile(path.join(dataDirectory, 'root-token'), 'utf8').then(
    (text) => text.trim(),
    () => {
      throw new InputError('INVALID_INPUT', 'Set FIXATIVE_ROOT_TOKEN to the root token of the server.');
    },
  );
}

async function write(bytes: Readable, file: string, terminal: Terminal): Promise<ExitCode> {
  const partial = `${file}.partial`;
  const progress = makeProgress(terminal);
  try {
    const handle = await open(partial, 'w', 0o600);
    let written = 0;
    try {
      for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
        await handle.writeFile(chunk);
        written += chunk.length;
        progress.update(`${formatBytes(written)} written`);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const { createdAt } = await readArchive(createReadStream(partial));
    await rename(partial, file);
    syncDirectory(path.dirname(path.resolve(file)));
    progress.clear();
    terminal.out(`${file}: ${formatBytes(written)}, complete: the database of ${createdAt}.\n`);
    return EXIT.ok;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

export interface RestoreBackupCommand {
  readonly file: string;
  readonly replace: boolean;
  readonly processId: number;
}

/** `restore-backup FILE`: puts a backup in the place of the embedded database, while no server runs. */
export async function runRestoreBackup(
  config: Config,
  { file, replace, processId }: RestoreBackupCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  requireEmbedded(config.databaseUrl);
  const directory = await lockDataDirectory(config.dataDirectory, processId);
  try {
    const source = () => createReadStream(file);
    const { facts, replaced, keys } = await restoreBackup(config.dataDirectory, source, { replace });
    terminal.out(`The database of ${facts.createdAt} is in ${config.dataDirectory}.\n`);
    if (replaced)
      terminal.out(`The database before it was moved to ${replaced}. Delete it when all is well.\n`);
    if (keys.length > 0) terminal.out(`Also restored: ${keys.join(', ')}.\n`);
    terminal.out(
      'Start the server. Then `verify` compares every copy, and `restore --all` brings missing files back',
    );
    terminal.out(' (docs/backup.md).\n');
    return EXIT.ok;
  } finally {
    await directory.release();
  }
}
