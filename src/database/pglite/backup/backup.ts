import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FixativeError } from '../../../errors.ts';
import type { BackupEntry, Database } from '../../database.ts';
import { databaseDirectoryOf } from '../data-directory.ts';
import { writeArchive } from './archive.ts';

/** Files of DATA_DIR that nothing else can make again. */
const KEYS = ['root-token', 'signing-key'];

const MIGRATIONS = `SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1`;

/** Refuses a backup of a PostgreSQL server. @throws FixativeError INVALID_INPUT */
export function requireEmbedded(databaseUrl: string | null): void {
  if (databaseUrl === null) return;
  const message =
    'DATABASE_URL is set, so the database is a PostgreSQL server. Use pg_dump and pg_restore: docs/backup.md has the commands.';
  throw new FixativeError('INVALID_INPUT', message);
}

/**
 * Returns the bytes of a backup of the embedded database, while it is used: everything that was acknowledged
 * before the call, and parts of what is written meanwhile.
 * @throws FixativeError INVALID_INPUT for PostgreSQL; CONFLICT while another backup is made.
 */
export async function openBackup(database: Database, dataDirectory: string): Promise<Readable> {
  if (!database.backup) requireEmbedded('postgresql:');
  const migrations = (await database.query<{ name: string }>(MIGRATIONS)).map(({ name }) => name);
  const version = await readFile(path.join(databaseDirectoryOf(dataDirectory), 'PG_VERSION'), 'utf8');
  const facts = { createdAt: new Date().toISOString(), postgresVersion: version.trim(), migrations };
  const files = database.backup?.() ?? [];
  return writeArchive(entriesOf(files as AsyncIterable<BackupEntry>, dataDirectory), facts);
}

async function* entriesOf(
  files: AsyncIterable<BackupEntry>,
  dataDirectory: string,
): AsyncGenerator<BackupEntry> {
  for await (const entry of files) yield { ...entry, name: `database/${entry.name}` };
  for (const name of KEYS) {
    const bytes = await readFile(path.join(dataDirectory, name)).catch(() => null);
    if (bytes) yield { name: `keys/${name}`, size: bytes.length, content: () => [bytes].values() as never };
  }
}
