import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { tryLockFile } from '../../database/pglite/file-lock.ts';
import { flushToDisk } from '../../storage/files/flush.ts';
import { parseUuid } from '../image.ts';

/**
 * Responses of providers on this machine's disk, from their arrival until the image is stored. So a paid
 * picture survives a kill, and a database that is away. A file appears whole (temporary file, fsync, rename);
 * its name is the uuid of the image and the number of the call. Several workers of one machine may share the
 * directory. Each holds a file lock in it for as long as it lives.
 */
export interface ProviderResponses {
  /** Unique id of this worker. */
  readonly workerId: string;
  /**
   * Resolves when the response survives a loss of power.
   * @param said JSON: the response without its bytes.
   */
  keep(call: ProviderCall, said: unknown, bytes: Uint8Array | null): Promise<void>;
  /** Returns the response to a call; null: this directory has none. */
  find(call: ProviderCall): Promise<KeptResponse | null>;
  discard(call: ProviderCall): Promise<void>;
  /** Returns the calls whose responses this directory has. */
  list(): Promise<ProviderCall[]>;
  /**
   * Returns whether a worker of this directory lives; null for a worker of another directory, which cannot be
   * known here.
   */
  isAlive(workerId: string): Promise<boolean | null>;
  /** Returns the ids of workers of this directory that have died. */
  findDeadWorkers(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * One call to a provider. Its number tells a late response to an earlier call from the response to this one.
 */
export interface ProviderCall {
  /** uuid of the image. */
  readonly uuid: string;
  /** From 1. */
  readonly number: number;
}

export interface KeptResponse {
  /** The response without its bytes. */
  readonly said: unknown;
  /** Opens the bytes of the picture; null: the provider gave an address. */
  readonly open: (() => Readable) | null;
}

const LOCK_FILE = /^\.worker-([0-9a-f-]{36})$/;
/** Age at which unfinished files, and the lock files of dead workers, are removed. */
const SWEEP_SECONDS = 24 * 3600;
/**
 * Most bytes of the first line. It holds the response without its bytes, of which a sixteenth of this is
 * kept.
 */
const MAX_FIRST_LINE_BYTES = 1024 * 1024;

export async function openProviderResponses(directory: string): Promise<ProviderResponses> {
  await mkdir(directory, { recursive: true });
  const workerId = randomUUID();
  await sweep(directory);
  const lock = tryLockFile(lockFileOf(directory, workerId));
  const fileOf = ({ uuid, number }: ProviderCall) => path.join(directory, `${uuid}.${number}`);
  const isAlive = async (id: string) => (id === workerId ? true : holdsLock(directory, id));
  return {
    workerId,
    async keep(call, said, bytes) {
      await writeResponse(fileOf(call), { said, bytes });
      await flushToDisk(directory);
    },
    find: (call) => readResponse(fileOf(call)),
    discard: (call) => rm(fileOf(call), { force: true }),
    list: () => listCalls(directory),
    isAlive,
    async findDeadWorkers() {
      const dead: string[] = [];
      for (const name of await readdir(directory)) {
        const [, id] = LOCK_FILE.exec(name) ?? [];
        if (id && (await isAlive(id)) === false) dead.push(id);
      }
      return dead;
    },
    async close() {
      lock?.release();
      await rm(lockFileOf(directory, workerId), { force: true });
    },
  };
}

const lockFileOf = (directory: string, workerId: string) => path.join(directory, `.worker-${workerId}`);

/** Returns whether a worker holds its lock file; null: there is no such file. */
async function holdsLock(directory: string, workerId: string): Promise<boolean | null> {
  const file = lockFileOf(directory, workerId);
  if (!(await stat(file).catch(nullIfAbsent))) return null;
  const taken = tryLockFile(file);
  taken?.release();
  return taken === null;
}

async function writeResponse(
  file: string,
  { said, bytes }: { said: unknown; bytes: Uint8Array | null },
): Promise<void> {
  const temporary = `${file}.${randomUUID()}.part`;
  const handle = await open(temporary, 'wx');
  try {
    // The first line describes the rest of the file.
    await handle.writeFile(`${JSON.stringify({ said, hasBytes: bytes !== null })}\n`);
    if (bytes) await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  await rename(temporary, file);
}

async function readResponse(file: string): Promise<KeptResponse | null> {
  const handle = await open(file, 'r').catch(nullIfAbsent);
  if (!handle) return null;
  try {
    const first = await readFirstLine(handle);
    if (first === null) return null;
    const { said, hasBytes } = JSON.parse(first.toString('utf8')) as { said: unknown; hasBytes: boolean };
    return { said, open: hasBytes ? () => createReadStream(file, { start: first.length + 1 }) : null };
  } finally {
    await handle.close();
  }
}

async function listCalls(directory: string): Promise<ProviderCall[]> {
  const calls = (await readdir(directory)).map((name) => {
    const [, uuid = '', number] = /^([0-9a-f-]{36})\.(\d+)$/.exec(name) ?? [];
    return { uuid: parseUuid(uuid), number: Number(number) };
  });
  return calls.filter((call): call is ProviderCall => call.uuid !== null);
}

/** Returns the first line without its line break; null: the file was not written to the end of that line. */
async function readFirstLine(handle: FileHandle): Promise<Buffer | null> {
  for (let size = 4096; size <= MAX_FIRST_LINE_BYTES; size *= 16) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(size), 0, size, 0);
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    if (end >= 0) return buffer.subarray(0, end);
    if (bytesRead < size) return null;
  }
  return null;
}

/** Removes old temporary files, and old lock files that no worker holds. */
async function sweep(directory: string): Promise<void> {
  const before = Date.now() - SWEEP_SECONDS * 1000;
  for (const name of await readdir(directory)) {
    const isLockFile = LOCK_FILE.test(name);
    if (!isLockFile && !name.endsWith('.part')) continue;
    const file = path.join(directory, name);
    const found = await stat(file).catch(nullIfAbsent);
    if (!found || found.mtimeMs > before) continue;
    // A worker that has lived this long still holds its lock file.
    const taken = isLockFile ? tryLockFile(file) : { release: () => {} };
    taken?.release();
    if (taken) await rm(file, { force: true });
    if (taken && isLockFile) await rm(`${file}-journal`, { force: true });
  }
}

function nullIfAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
