import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseUuid } from '../image.ts';

/**
 * What providers gave, on this machine's disk from the moment in which it is there until it is an image: a paid picture survives a
 * kill and a database that is away. A file appears whole (temporary file, fsync, rename), under the uuid of its image and the number of the call.
 */
export interface Answers {
  /** Names this directory among those of other workers; made with it. */
  readonly id: string;
  /** Resolves when the bytes survive the loss of power. */
  keep(call: Call, answer: KeptAnswer): Promise<void>;
  /** null: there is none here. */
  find(call: Call): Promise<FoundAnswer | null>;
  discard(call: Call): Promise<void>;
  /** The calls whose answers lie here. */
  list(): Promise<Call[]>;
}

/** One call to a provider, of all that were made for an image: what comes late of one is not taken for the answer to the next. */
export interface Call {
  readonly uuid: string;
  /** From 1. */
  readonly number: number;
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
  const saidFile = ({ uuid, number }: Call) => path.join(directory, `${uuid}.${number}.json`);
  const bytesFile = ({ uuid, number }: Call) => path.join(directory, `${uuid}.${number}.bytes`);

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
    async keep(call, { said, bytes }) {
      // What was said comes last: where it is, the bytes are.
      if (bytes) await write(bytesFile(call), bytes);
      await write(saidFile(call), JSON.stringify(said));
      const handle = await open(directory, 'r');
      await handle.sync().finally(() => handle.close());
    },
    async find(call) {
      const text = await readFile(saidFile(call), 'utf8').catch(absent);
      if (text === null) return null;
      const file = bytesFile(call);
      return { said: JSON.parse(text), file: (await stat(file).catch(absent)) ? file : null };
    },
    async discard(call) {
      await rm(saidFile(call), { force: true });
      await rm(bytesFile(call), { force: true });
    },
    async list() {
      const calls = (await readdir(directory)).map((name) => {
        const [, uuid = '', number] = /^([0-9a-f-]{36})\.(\d+)\.json$/.exec(name) ?? [];
        return { uuid: parseUuid(uuid), number: Number(number) };
      });
      return calls.filter((call): call is Call => call.uuid !== null);
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
