import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseUuid } from '../image.ts';

/**
 * What providers gave, on this machine's disk from the moment in which it is there until it is an image: a paid picture survives a
 * kill and a database that is away. A file appears whole (temporary file, fsync, rename), under the uuid of its image.
 */
export interface Answers {
  /** Names this directory among those of other workers; made with it. */
  readonly id: string;
  /** Resolves when the bytes survive the loss of power. */
  keep(uuid: string, answer: KeptAnswer): Promise<void>;
  /** null: there is none here. */
  find(uuid: string): Promise<FoundAnswer | null>;
  discard(uuid: string): Promise<void>;
  /** uuids of the images whose answers lie here. */
  list(): Promise<string[]>;
}

/** What was said, with the bytes where there are any. */
export interface KeptAnswer {
  /** JSON. */
  readonly said: unknown;
  readonly bytes: Uint8Array | null;
}

export interface FoundAnswer {
  readonly said: unknown;
  /** The file of the bytes; null where an address was answered. */
  readonly file: string | null;
}

export async function openAnswers(directory: string): Promise<Answers> {
  await mkdir(directory, { recursive: true });
  const id = await readId(path.join(directory, '.id'));
  const saidFile = (uuid: string) => path.join(directory, `${uuid}.json`);
  const bytesFile = (uuid: string) => path.join(directory, `${uuid}.bytes`);

  async function write(file: string, data: Uint8Array | string): Promise<void> {
    const temporary = `${file}.${randomUUID()}.part`;
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  }

  return {
    id,
    async keep(uuid, { said, bytes }) {
      // What was said comes last: where it is, the bytes are.
      if (bytes) await write(bytesFile(uuid), bytes);
      await write(saidFile(uuid), JSON.stringify(said));
      const handle = await open(directory, 'r');
      await handle.sync().finally(() => handle.close());
    },
    async find(uuid) {
      const text = await readFile(saidFile(uuid), 'utf8').catch(absent);
      if (text === null) return null;
      const file = bytesFile(uuid);
      return { said: JSON.parse(text), file: (await stat(file).catch(absent)) ? file : null };
    },
    async discard(uuid) {
      await rm(saidFile(uuid), { force: true });
      await rm(bytesFile(uuid), { force: true });
    },
    async list() {
      const names = await readdir(directory);
      const uuids = names
        .filter((name) => name.endsWith('.json'))
        .map((name) => parseUuid(name.slice(0, -5)));
      return uuids.filter((uuid) => uuid !== null);
    },
  };
}

async function readId(file: string): Promise<string> {
  // Several workers may share the directory and begin at once: the first to write it names it.
  await writeFile(file, randomUUID(), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return (await readFile(file, 'utf8')).trim();
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
