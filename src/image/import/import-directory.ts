/**
 * Imports a folder of pictures. Files are recognised by their hash, or by the uuid in the sidecar of an
 * export. So a second run adds nothing, and an interrupted run can be repeated; only the images themselves
 * are recorded. Images that the user has removed are not imported again, unless `again` is set.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { type KeyedLock, makeKeyedLock } from '../../database/keyed-lock.ts';
import { FixativeError, UnsupportedTypeError } from '../../errors.ts';
import { proveWhole } from '../../storage/picture/container-check.ts';
import { type PictureType, SNIFF_BYTES, sniff } from '../../storage/picture/sniff.ts';
import { uploadTooLarge } from '../../storage/spool/spool.ts';
import { FIRST_TIME, formatMicros } from '../../time.ts';
import type { ImageDeps } from '../image.ts';
import { type IngestDeps, ingest, type NewImage } from '../ingest/ingest.ts';
import { type ImageRecord, isAhead, parseImageInput } from '../input.ts';
import { forEachConcurrently } from './concurrency.ts';
import { findExisting } from './find-existing.ts';
import {
  type FilePath,
  type FoundFile,
  isFile,
  openFile,
  walkFolder,
  withoutLast,
  withSuffix,
} from './folder.ts';
import { parseSidecar, readSidecar, type Sidecar } from './sidecar.ts';

export interface DirectoryImport {
  readonly directory: string;
  /** Owner of the images. Default: the owner in the sidecar, else `root`. */
  readonly userId?: string | undefined;
  readonly tool?: string | undefined;
  /** Tags for each image, besides those of its sidecar. */
  readonly tags?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
  /** Imports images again that the user has removed. */
  readonly again?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Result of one file. */
export type FileOutcome =
  | {
      readonly file: string;
      readonly outcome: 'imported' | 'there' | 'removed';
      readonly uuid: string | null;
    }
  | { readonly file: string; readonly outcome: 'refused'; readonly code: string; readonly reason: string };

const FILES_AT_A_TIME = 3;
/** Errors that end the run: they would repeat with every file. */
const ENDS_THE_RUN = new Set(['NO_SPACE', 'STORE_UNAVAILABLE']);
/** System calls that only read the source, so that their errors concern one file. */
const READING = new Set(['open', 'read', 'scandir', 'fstat']);

/** @param onFile gets the result of each file, in the order in which they are done. */
export async function importDirectory(
  deps: ImageDeps & IngestDeps,
  options: DirectoryImport,
  onFile: (outcome: FileOutcome) => void,
): Promise<void> {
  const record = parseImageInput(options, { userId: 'root', tool: 'importDirectory' });
  const run: Run = { deps, options, record, lock: makeKeyedLock(), seen: new Set() };
  const work = async (found: FoundFile) => {
    const { name, error } = found;
    try {
      if (error) throw error;
      const outcome = await importFile(run, found);
      if (outcome) onFile({ file: name, ...outcome });
    } catch (fault) {
      onFile({ file: name, outcome: 'refused', ...refusalOf(fault) });
    }
  };
  await forEachConcurrently(walkFolder(options.directory), work, {
    count: FILES_AT_A_TIME,
    signal: options.signal,
  });
}

interface Run {
  readonly deps: ImageDeps & IngestDeps;
  readonly options: DirectoryImport;
  readonly record: ImageRecord;
  /**
   * Lock on the bytes and the uuid of a file: of two equal files, the second finds the image of the first.
   */
  readonly lock: KeyedLock;
  /** Hashes and uuids that a run would have imported by now; for dry runs. */
  readonly seen: Set<string>;
}

type Outcome = { readonly outcome: 'imported' | 'there' | 'removed'; readonly uuid: string | null };

/** Imports a file. @returns null for the sidecar of another file, which is read with that one. */
async function importFile(run: Run, { name, path: file }: FoundFile): Promise<Outcome | null> {
  const isSidecar = name.endsWith('.json') && (await isFile(withoutLast(file, '.json'.length)));
  if (isSidecar && (await readSidecar(file))) return null;
  await using handle = await openFile(file);
  const { size, mtimeNs } = await handle.stat({ bigint: true });
  const mimeType = await checkHead(handle);
  const { maxBytes } = run.deps.storage.spooler;
  if (Number(size) > maxBytes) throw uploadTooLarge('The file', maxBytes);
  const sha256 = await hashOf(handle);
  const sidecar = await findSidecar(run, file, { name, sha256 });
  const image = sidecar?.image ?? describe(run, name, mtimeNs);
  const importOnce = async (): Promise<Outcome> => {
    const who = { sha256, userId: image.userId, uuid: sidecar?.uuid ?? null };
    const existing = await findExisting(run.deps.database, who, { again: run.options.again === true });
    if (existing.outcome) return { outcome: existing.outcome, uuid: existing.uuid };
    if (run.options.dryRun) {
      // A dry run does not decode the pixels.
      await proveWhole({ bytes: Number(size), reader: handle }, mimeType);
      return { outcome: countOnce(run.seen, sidecar?.uuid ?? `${image.userId} ${sha256}`), uuid: null };
    }
    const own = existing.uuidIsTaken ? withoutUuid(image) : image;
    const uuid = await ingestFile(run, handle, { sha256, image: own });
    return { outcome: 'imported', uuid };
  };
  // Awaited, because the file is closed when this function returns. To avoid deadlocks: first the lock on the
  // bytes, then on the uuid.
  return await run.lock(`${image.userId} ${sha256}`, () =>
    sidecar ? run.lock(sidecar.uuid, importOnce) : importOnce(),
  );
}

function countOnce(seen: Set<string>, identity: string): 'imported' | 'there' {
  if (seen.has(identity)) return 'there';
  seen.add(identity);
  return 'imported';
}

/** Rejects a file that is no picture by its first bytes, before all of it is read. */
async function checkHead(handle: FileHandle): Promise<PictureType> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0);
  if (bytesRead === 0) throw new FixativeError('EMPTY_FILE', 'The file is empty.');
  const { mimeType, detected } = sniff(buffer.subarray(0, bytesRead));
  if (mimeType !== null) return mimeType;
  throw new UnsupportedTypeError(`The file is not a supported picture: ${detected}.`, detected);
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Reads and checks the sidecar of a file; null: there is none. Options of the command win over the sidecar.
 */
async function findSidecar(
  { options, record }: Run,
  file: FilePath,
  { name, sha256 }: { name: string; sha256: string },
): Promise<Sidecar | null> {
  const json = await readSidecar(withSuffix(file, '.json'));
  if (json === null) return null;
  const tags = [...(Array.isArray(json.tags) ? json.tags : []), ...record.tags];
  const sidecar = parseSidecar(
    {
      ...json,
      tags,
      userId: options.userId ?? json.userId,
      tool: options.tool ?? json.tool,
    },
    { userId: record.userId, tool: record.toolName, filename: path.basename(name) },
  );
  if (sidecar.sha256 === sha256) return sidecar;
  throw new FixativeError(
    'MISMATCH',
    `The sidecar belongs to other bytes: it names the SHA-256 ${sidecar.sha256}, and the file has ${sha256}.`,
  );
}

/** Describes a file without a sidecar, by its name, time and folder. */
function describe({ record }: Run, name: string, mtimeNs: bigint): NewImage {
  // A time in the future comes from a wrong clock.
  const time = new Date(Number(mtimeNs / 1_000_000n));
  const hasTime = time >= FIRST_TIME && !isAhead(time);
  const where = { path: name, folder: path.dirname(name) === '.' ? '' : path.dirname(name) };
  return {
    ...record,
    metadata: { import: where },
    origin: 'imported',
    prompt: '',
    filename: path.basename(name),
    ...(hasTime ? { createdAt: formatMicros(mtimeNs / 1000n) } : {}),
  };
}

function withoutUuid({ uuid: _taken, ...image }: NewImage): NewImage {
  return image;
}

async function ingestFile(
  { deps }: Run,
  handle: FileHandle,
  { sha256, image }: { sha256: string; image: NewImage },
): Promise<string> {
  const stream = handle.createReadStream({ start: 0, autoClose: false });
  const spool = await deps.storage.spooler.receive(stream);
  try {
    if (spool.sha256 !== sha256)
      throw new FixativeError('CONFLICT', 'The file changed while it was read. Import it again.');
    // Only an exported image has a filename that was given here.
    return (await ingest(deps, spool, { ...image, keepsName: image.uuid !== undefined })).uuid;
  } finally {
    await spool.discard();
  }
}

/** Returns why a file is refused. @throws errors that do not concern one file. */
function refusalOf(fault: unknown): { code: string; reason: string } {
  if (fault instanceof FixativeError && !ENDS_THE_RUN.has(fault.code))
    return { code: fault.code, reason: fault.message };
  const { code, syscall } = fault as NodeJS.ErrnoException;
  if (syscall && READING.has(syscall))
    return { code: 'SOURCE_FAILED', reason: `The file cannot be read (${code}).` };
  throw fault;
}
