/** The file of a backup: a tar archive, compressed by Zstandard, whose last entry says what it holds. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { extract, type Pack, pack } from 'tar-stream';
import { z } from 'zod';
import { FixativeError } from '../../../errors.ts';
import type { BackupEntry } from '../../database.ts';

const MANIFEST = 'manifest.json';
const FORMAT = 1;
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
const MAX_ENTRIES = 500_000;
const NAME = /^(?:database|keys)(?:\/[\w.-]+)+$/;

const FACTS = z.object({
  format: z.literal(FORMAT),
  /** RFC 3339. */
  createdAt: z.string(),
  /** Content of PG_VERSION. */
  postgresVersion: z.string(),
  /** Names of the applied migrations. */
  migrations: z.array(z.string()),
});
const CONTENTS = FACTS.extend({
  /** Name, bytes and SHA-256 of each file. */
  files: z.array(z.tuple([z.string(), z.int(), z.string()])),
});

export type BackupFacts = Omit<z.output<typeof FACTS>, 'format'>;

/**
 * Returns the bytes of an archive. They are made while they are read. After an error of the entries they end
 * before the manifest.
 */
export function writeArchive(entries: AsyncIterable<BackupEntry>, facts: BackupFacts): Readable {
  const archive = pack();
  const compressed = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const written = writeEntries(archive, entries, facts).catch((error: unknown) =>
    archive.destroy(error as Error),
  );
  // Both ends learn of an error of the other.
  void Promise.allSettled([pipeline(archive, compressed), written]);
  return compressed;
}

async function writeEntries(
  archive: Pack,
  entries: AsyncIterable<BackupEntry>,
  facts: BackupFacts,
): Promise<void> {
  const files: [string, number, string][] = [];
  for await (const { name, size, content } of entries) {
    if (size === null) {
      archive.entry({ name, type: 'directory', mode: 0o700 });
      continue;
    }
    const hash = createHash('sha256');
    const hashed = async function* () {
      for await (const chunk of content()) {
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(Readable.from(hashed()), archive.entry({ name, size, mode: 0o600 }));
    files.push([name, size, hash.digest('hex')]);
  }
  archive.entry({ name: MANIFEST, mode: 0o600 }, JSON.stringify({ format: FORMAT, ...facts, files }));
  archive.finalize();
}

/** Receives the entries of an archive. */
export interface ArchiveSink {
  directory(name: string): Promise<void>;
  file(name: string, content: AsyncIterable<Uint8Array>, size: number): Promise<void>;
}

/**
 * Reads an archive to its end, and compares each file with the manifest.
 * @param sink receives the entries as they come, before the archive is known to be whole. Default: none.
 * @throws FixativeError MISMATCH for an archive that is not whole, or not one of these.
 */
export async function readArchive(source: Readable, sink?: ArchiveSink): Promise<BackupFacts> {
  const entries = extract();
  const found = new Map<string, string>();
  let manifest: string | null = null;
  let count = 0;
  // An error of one stream ends the loop below with that error.
  const flowing = pipeline(source, createZstdDecompress(), entries);
  flowing.catch(() => {});
  try {
    for await (const entry of entries) {
      const { name, size = 0, type } = entry.header;
      if (manifest !== null) throw damaged('it goes on after its manifest');
      if (name === MANIFEST && type === 'file') {
        manifest = await textOf(contentOf(entry), size);
        continue;
      }
      const plain = name.replace(/\/$/, '');
      if (++count > MAX_ENTRIES) throw damaged(`it has more than ${MAX_ENTRIES} entries`);
      if (!NAME.test(plain) || plain.split('/').includes('..'))
        throw damaged(`it has an entry ${JSON.stringify(name)}`);
      if (type === 'directory') {
        await sink?.directory(plain);
        entry.resume();
      } else if (type === 'file') {
        const hash = createHash('sha256');
        await (sink ?? NO_SINK).file(plain, hashing(contentOf(entry), hash), size);
        found.set(plain, `${size} ${hash.digest('hex')}`);
      } else throw damaged(`its entry ${JSON.stringify(name)} is a ${type}`);
    }
    await flowing;
  } catch (error) {
    if (error instanceof FixativeError || isOfDisk(error)) throw error;
    throw damaged((error as Error).message);
  }
  return check(manifest, found);
}

/** The types of tar-stream do not say that an entry yields bytes. */
const contentOf = (entry: unknown) => entry as AsyncIterable<Uint8Array>;

const NO_SINK: Pick<ArchiveSink, 'file'> = {
  async file(_name, content) {
    for await (const _chunk of content);
  },
};

async function* hashing(content: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>) {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}

async function textOf(content: AsyncIterable<Uint8Array>, size: number): Promise<string> {
  if (size > MAX_MANIFEST_BYTES) throw damaged('its manifest is too large');
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function check(manifest: string | null, found: ReadonlyMap<string, string>): BackupFacts {
  if (manifest === null) throw damaged('its end is missing');
  const parsed = CONTENTS.safeParse(parseJson(manifest));
  if (!parsed.success) throw damaged('its manifest is not one of this version of Fixative');
  const { files, format: _format, ...facts } = parsed.data;
  for (const [name, size, sha256] of files)
    if (found.get(name) !== `${size} ${sha256}`) throw damaged(`${name} is missing or has other bytes`);
  if (files.length !== found.size) throw damaged('it has files that its manifest does not name');
  return facts;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Errors of the file system are those of the disk, not of the archive. */
const isOfDisk = (error: unknown) => typeof (error as NodeJS.ErrnoException | null)?.syscall === 'string';

const damaged = (why: string) =>
  new FixativeError('MISMATCH', `The backup cannot be used: ${why}. Use another one.`);
