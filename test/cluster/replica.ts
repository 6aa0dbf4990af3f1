import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { findBinaries, idsOf, type Postgresql, startPostgresql } from '../postgresql.ts';

const run = promisify(execFile);

/** Starts a streaming replica of a server, on a port of its own, with its data in a directory. */
export async function startReplica(primary: string, directory: string): Promise<Postgresql> {
  const user = process.getuid?.() === 0 ? await idsOf('postgres') : null;
  await mkdir(directory, { recursive: true });
  const passwordFile = path.join(directory, 'password');
  await writeFile(passwordFile, decodeURIComponent(new URL(primary).password), { mode: 0o600 });
  if (user) for (const each of [directory, passwordFile]) await chown(each, user.uid, user.gid);
  // `-R` writes standby.signal and the address of the primary into the data directory.
  const args = ['-d', primary, '-D', path.join(directory, 'data'), '-R', '-X', 'stream', '-c', 'fast'];
  await run(path.join(await findBinaries(), 'pg_basebackup'), [...args, '--no-sync'], {
    cwd: directory,
    ...user,
  });
  return startPostgresql({ directory, durable: true });
}
