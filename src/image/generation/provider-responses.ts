import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { tryLockFile } from '../../database/pglite/file-lock.ts';
import { flush } from '../../storage/spool/flush.ts';
import { parseUuid } from '../image.ts';

/**
 * What providers gave, on this machine's disk from the moment in which it is there until it is an image: a paid picture survives a
 * kill and a database that is away. A file appears whole (temporary file, fsync, rename), under the uuid of its image and the number of the
 * call. Several workers of one machine may share the directory; each holds a lock in it for as long as it lives.
 */
export interface Answers {
  /** Names this worker, and no other that was or will be. */
  readonly workerId: string;
  /** Resolves when the answer survives the loss of power. @param said JSON. */
  keep(call: Call, said: unknown, bytes: Uint8Array | null): Promise<void>;
  /** null: there is none here. */
  find(call: Call): Promise<FoundAnswer | null>;
  discard(call: Call): Promise<void>;
  /** The calls whose answers lie here. */
  list(): Promise<Call[]>;
  /** Whether a worker lives: true or false for those of this directory, null for others, of which nothing can be known here. */
  isAlive(workerId: string): Promise<boolean | null>;
  /** The workers of this directory that have died. */
  dead(): Promise<string[]>;
  close(): Promise<void>;
}

/** One call to a provider, of all that were made for an image: what comes late of one is not taken for the answer to the next. */
export interface Call {
  readonly uuid: string;
  /** From 1. */
  readonly number: number;
}

export interface FoundAnswer {
  readonly said: unknown;
  /** null where an address was answered. */
  readonly open: (() => Readable) | null;
}

const MARK = /^\.worker-([0-9a-f-]{36})$/;
/** Files that nobody finished writing, and the marks of workers that died, are swept after this. */
const SWEEP_SECONDS = 24 * 3600;
/** Of the first line; what is kept of what a provider says is a sixteenth of it. */
const MAX_SAID_BYTES = 1024 * 1024;

export async function openAnswers(directory: string): Promise<Answers> {
  await mkdir(directory, { recursive: true });
  const workerId = randomUUID();
  const fileOf = ({ uuid, number }: Call) => path.join(directory, `${uuid}.${number}`);
  const markOf = (id: string) => path.join(directory, `.worker-${id}`);
  await sweep(directory);
  const lock = tryLockFile(markOf(workerId));

  const isAlive = async (id: string): Promise<boolean | null> => {
    if (id === workerId) return true;
    if (!(await stat(markOf(id)).catch(absent))) return null;
    const taken = tryLockFile(markOf(id));
    taken?.release();
    return taken === null;
  };

  return {
    workerId,
    async keep(call, said, bytes) {
      const temporary = `${fileOf(call)}.${randomUUID()}.part`;
      const handle = await open(temporary, 'wx');
      try {
        // The first line says what the rest of the file is.
        await handle.writeFile(`${JSON.stringify({ said, hasBytes: bytes !== null })}\n`);
        if (bytes) await handle.writeFile(bytes);
        await handle.sync();
      } catch (error) {
        await handle.close();
        await rm(temporary, { force: true });
        throw error;
      }
      await handle.close();
      await rename(temporary, fileOf(call));
      await flush(directory);
    },
    async find(call) {
      const handle = await open(fileOf(call), 'r').catch(absent);
      if (!handle) return null;
      try {
        const first = await readFirstLine(handle);
        if (first === null) return null;
        const { said, hasBytes } = JSON.parse(first.toString('utf8')) as {
          said: unknown;
          hasBytes: boolean;
        };
        return {
          said,
          open: hasBytes ? () => createReadStream(fileOf(call), { start: first.length + 1 }) : null,
        };
      } finally {
        await handle.close();
      }
    },
    discard: (call) => rm(fileOf(call), { force: true }),
    async list() {
      const calls = (await readdir(directory)).map((name) => {
        const [, uuid = '', number] = /^([0-9a-f-]{36})\.(\d+)$/.exec(name) ?? [];
        return { uuid: parseUuid(uuid), number: Number(number) };
      });
      return calls.filter((call): call is Call => call.uuid !== null);
    },
    isAlive,
    async dead() {
      const dead: string[] = [];
      for (const name of await readdir(directory)) {
        const [, id] = MARK.exec(name) ?? [];
        if (id && (await isAlive(id)) === false) dead.push(id);
      }
      return dead;
    },
    async close() {
      lock?.release();
      await rm(markOf(workerId), { force: true });
    },
  };
}

/** Without its end; null where there is none, so that it was never written. Mostly some hundred bytes, and never more than MAX_SAID_BYTES. */
async function readFirstLine(handle: FileHandle): Promise<Buffer | null> {
  for (let size = 4096; size <= MAX_SAID_BYTES; size *= 16) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(size), 0, size, 0);
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    if (end >= 0) return buffer.subarray(0, end);
    if (bytesRead < size) return null;
  }
  return null;
}

async function sweep(directory: string): Promise<void> {
  const before = Date.now() - SWEEP_SECONDS * 1000;
  for (const name of await readdir(directory)) {
    const isMark = MARK.test(name);
    if (!isMark && !name.endsWith('.part')) continue;
    const file = path.join(directory, name);
    const found = await stat(file).catch(absent);
    if (!found || found.mtimeMs > before) continue;
    // The mark of a worker that has lived for longer is held.
    const taken = isMark ? tryLockFile(file) : { release: () => {} };
    taken?.release();
    if (taken) await rm(file, { force: true });
    if (taken && isMark) await rm(`${file}-journal`, { force: true });
  }
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
