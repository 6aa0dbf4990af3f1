/**
 * Brings a folder of pictures in. Each file is known by its hash, or by the uuid in the sidecar of an export beside it, so that a second run
 * adds nothing and an interrupted one goes on: nothing is noted but the images themselves. What the user has removed stays removed, unless
 * it is asked for again.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { type KeyedLock, makeKeyedLock } from '../../database/keyed-lock.ts';
import { FixativeError, UnsupportedTypeError } from '../../errors.ts';
import { proveWhole } from '../../storage/picture/container-check.ts';
import { type PictureType, SNIFF_BYTES, sniff } from '../../storage/picture/sniff.ts';
import { tooLarge } from '../../storage/spool/spool.ts';
import { FIRST_TIME, isoOfMicros } from '../../time.ts';
import type { ImageDeps } from '../image.ts';
import { type IngestDeps, ingest, type NewImage } from '../ingest/ingest.ts';
import { type ImageRecord, isAhead, parseImageInput } from '../input.ts';
import { runWorkers } from './concurrency.ts';
import { findKnown } from './find-existing.ts';
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
  /** Whose the images are; without it, `root`, and whose the sidecars say. */
  readonly userId?: string | undefined;
  readonly tool?: string | undefined;
  /** Given to each image beside those of its sidecar. */
  readonly tags?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
  /** Take in again what the user has removed. */
  readonly again?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What became of a file. */
export type FileOutcome =
  | {
      readonly file: string;
      readonly outcome: 'imported' | 'there' | 'removed';
      readonly uuid: string | null;
    }
  | { readonly file: string; readonly outcome: 'refused'; readonly code: string; readonly reason: string };

const FILES_AT_A_TIME = 3;
/** What ends the run, because it would end the same way for every file. */
const ENDS_THE_RUN = new Set(['NO_SPACE', 'STORE_UNAVAILABLE']);
/** The calls of which only the source is the matter; our own files are written. */
const READING = new Set(['open', 'read', 'scandir', 'fstat']);

/** @param onFile hears what became of each file, in the order in which they are done. */
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
  await runWorkers(walkFolder(options.directory), work, { count: FILES_AT_A_TIME, signal: options.signal });
}

interface Run {
  readonly deps: ImageDeps & IngestDeps;
  readonly options: DirectoryImport;
  readonly record: ImageRecord;
  /** Files of the same bytes, or of the same uuid, wait for each other, so that the second one finds the first. */
  readonly lock: KeyedLock;
  /** In a dry run, the identities that would be there by now. */
  readonly seen: Set<string>;
}

type Outcome = { readonly outcome: 'imported' | 'there' | 'removed'; readonly uuid: string | null };

/** null: it is the sidecar of another file, and is read with that one. */
async function importFile(run: Run, { name, path: file }: FoundFile): Promise<Outcome | null> {
  const isSidecar = name.endsWith('.json') && (await isFile(withoutLast(file, '.json'.length)));
  if (isSidecar && (await readSidecar(file))) return null;
  await using handle = await openFile(file);
  const { size, mtimeNs } = await handle.stat({ bigint: true });
  const mimeType = await checkHead(handle);
  const { maxBytes } = run.deps.storage.spooler;
  if (Number(size) > maxBytes) throw tooLarge('The file', maxBytes);
  const sha256 = await hashOf(handle);
  const sidecar = await findSidecar(run, file, { name, sha256 });
  const image = sidecar?.image ?? describe(run, name, mtimeNs);
  const take = async (): Promise<Outcome> => {
    const who = { sha256, userId: image.userId, uuid: sidecar?.uuid ?? null };
    const known = await findKnown(run.deps.database, who, { again: run.options.again === true });
    if (known.outcome) return { outcome: known.outcome, uuid: known.uuid };
    if (run.options.dryRun) {
      // Whether its pixels decode is only known when it is taken in.
      await proveWhole({ bytes: Number(size), reader: handle }, mimeType);
      return { outcome: countOnce(run.seen, sidecar?.uuid ?? `${image.userId} ${sha256}`), uuid: null };
    }
    const uuid = await keep(run, handle, { sha256, image: known.uuidIsTaken ? withoutUuid(image) : image });
    return { outcome: 'imported', uuid };
  };
  // Awaited here, because the file is open as long as this function runs. First the name of the bytes, then the uuid: always in this order.
  return await run.lock(`${image.userId} ${sha256}`, () => (sidecar ? run.lock(sidecar.uuid, take) : take()));
}

function countOnce(seen: Set<string>, identity: string): 'imported' | 'there' {
  if (seen.has(identity)) return 'there';
  seen.add(identity);
  return 'imported';
}

/** Says quickly what is no picture, before all of it is read. */
async function checkHead(handle: FileHandle): Promise<PictureType> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0);
  if (bytesRead === 0) throw new FixativeError('EMPTY_FILE', 'The file has no bytes.');
  const { mimeType, detected } = sniff(buffer.subarray(0, bytesRead));
  if (mimeType !== null) return mimeType;
  throw new UnsupportedTypeError(`It is no picture that is kept: ${detected}.`, detected);
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) hash.update(chunk);
  return hash.digest('hex');
}

/** The sidecar of a file, checked, or null; what the command says goes before what the sidecar says. */
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
    `Its sidecar is of other bytes: it says SHA-256 ${sidecar.sha256}, and the file has ${sha256}.`,
  );
}

/** What a file without a sidecar says of itself: its name, its time and its folder. */
function describe({ record }: Run, name: string, mtimeNs: bigint): NewImage {
  // A clock that was ahead when the file was written says nothing of it.
  const time = new Date(Number(mtimeNs / 1_000_000n));
  const hasTime = time >= FIRST_TIME && !isAhead(time);
  const where = { path: name, folder: path.dirname(name) === '.' ? '' : path.dirname(name) };
  return {
    ...record,
    metadata: { import: where },
    origin: 'imported',
    prompt: '',
    filename: path.basename(name),
    ...(hasTime ? { createdAt: isoOfMicros(mtimeNs / 1000n) } : {}),
  };
}

function withoutUuid({ uuid: _taken, ...image }: NewImage): NewImage {
  return image;
}

async function keep(
  { deps }: Run,
  handle: FileHandle,
  { sha256, image }: { sha256: string; image: NewImage },
): Promise<string> {
  const stream = handle.createReadStream({ start: 0, autoClose: false });
  const spool = await deps.storage.spooler.receive(stream);
  try {
    if (spool.sha256 !== sha256) throw new FixativeError('CONFLICT', 'The file changed while it was read.');
    // Only an image that comes back as itself has a name of its own.
    return (await ingest(deps, spool, { ...image, keepsName: image.uuid !== undefined })).uuid;
  } finally {
    await spool.discard();
  }
}

/** Why a file is refused. @throws what is no matter of one file */
function refusalOf(fault: unknown): { code: string; reason: string } {
  if (fault instanceof FixativeError && !ENDS_THE_RUN.has(fault.code))
    return { code: fault.code, reason: fault.message };
  const { code, syscall } = fault as NodeJS.ErrnoException;
  if (syscall && READING.has(syscall))
    return { code: 'SOURCE_FAILED', reason: `It cannot be read (${code}).` };
  throw fault;
}
