/**
 * Sidecars: the JSON beside an exported file, `<file>.json`, with everything about an image that is not in
 * its bytes. `"fixative": 1` tells it from the JSON of other programs. An import checks it like any input,
 * because anybody can write such a file.
 */
import { z } from 'zod';
import { MiB } from '../../config.ts';
import { InputError } from '../../errors.ts';
import { parseExactly } from '../../json.ts';
import { FIRST_TIME, parseTime } from '../../time.ts';
import { IMAGE_ORIGINS, type Image, isPublic, parseUuid, VISIBILITIES } from '../image.ts';
import { originalNameOf } from '../ingest/filename.ts';
import type { NewImage } from '../ingest/ingest.ts';
import { LIMITS, parseImageInput, parseOptional } from '../input.ts';
import { type FilePath, isFile, openFile } from './folder.ts';

export const SIDECAR_VERSION = 1;
/** Enough for 64 KiB of metadata and a prompt of 32,000 characters, of up to six bytes each in JSON. */
export const MAX_SIDECAR_BYTES = 2 * MiB;
const MAX_TEXT_LENGTH = 64 * 1024;
const MAX_URL_LENGTH = 8192;

/** Returns the sidecar of an image. @param createdAt ISO 8601, to the microsecond. */
export function makeSidecar(image: Image, createdAt: string): Record<string, unknown> {
  return {
    fixative: SIDECAR_VERSION,
    uuid: image.uuid,
    databaseId: Number(image.id),
    sha256: image.sha256,
    bytes: image.bytes,
    mimeType: image.mimeType,
    width: image.width,
    height: image.height,
    filename: image.filename,
    originalFilename: image.originalFilename,
    userId: image.userId,
    username: image.username,
    tool: image.toolName,
    origin: image.origin,
    prompt: image.prompt,
    revisedPrompt: image.revisedPrompt,
    provider: image.provider,
    model: image.model,
    size: image.size,
    quality: image.quality,
    style: image.style,
    requestId: image.requestId,
    messageId: image.messageId,
    tags: image.tags,
    metadata: image.metadata,
    originalUrl: image.originalUrl,
    visibility: isPublic(image) ? 'public' : 'private',
    createdAt,
  };
}

const text = z.string().nullish();
const SIDECAR = z.object({
  fixative: z.literal(SIDECAR_VERSION),
  uuid: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256'),
  filename: text,
  originalFilename: text,
  userId: text,
  username: text,
  tool: text,
  origin: z.enum(IMAGE_ORIGINS),
  prompt: z.string(),
  revisedPrompt: text,
  provider: text,
  model: text,
  size: text,
  quality: text,
  style: text,
  requestId: text,
  messageId: text,
  tags: z.array(z.string()).nullish(),
  metadata: z.unknown().optional(),
  originalUrl: text,
  visibility: z.enum(VISIBILITIES).nullish(),
  // As text: a Date has no microseconds.
  createdAt: z.string().refine(isTimeInUtc, 'is not a time in UTC as in RFC 3339'),
});

/** Returns whether text is a time in UTC, with up to six digits of a second. */
function isTimeInUtc(text: string): boolean {
  const time = /^\S{19,26}Z$/.test(text) ? parseTime(text) : null;
  return time !== null && time >= FIRST_TIME;
}

export interface Sidecar {
  readonly sha256: string;
  readonly uuid: string;
  readonly image: NewImage;
}

/**
 * Reads the JSON of a sidecar; null: there is none, or it is of another program.
 * @throws InputError INVALID_INPUT for a damaged one of ours: the image must not be imported without its
 *   data.
 */
export async function readSidecar(file: FilePath): Promise<Record<string, unknown> | null> {
  if (!(await isFile(file))) return null;
  await using handle = await openFile(file);
  const { size } = await handle.stat();
  if (size > MAX_SIDECAR_BYTES) return null;
  const text = (await handle.readFile()).toString('utf8');
  if (!text.includes('"fixative"')) return null;
  try {
    // Exactly: numbers that another service has written must not be rounded.
    const json = parseExactly(text);
    const isOurs = typeof json === 'object' && json !== null && Object.hasOwn(json, 'fixative');
    return isOurs ? (json as Record<string, unknown>) : null;
  } catch (cause) {
    throw new InputError(
      'INVALID_INPUT',
      'The sidecar was written by Fixative and is damaged. Export the image again, or remove the sidecar.',
      { cause },
    );
  }
}

/** Checks the JSON of a sidecar. @throws InputError INVALID_INPUT that names the field. */
export function parseSidecar(
  json: unknown,
  defaults: { userId: string; tool: string; filename: string },
): Sidecar {
  const parsed = SIDECAR.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalidSidecar(`${issue?.path.join('.') || 'it'}: ${issue?.message}`);
  }
  const said = parsed.data;
  const uuid = parseUuid(said.uuid);
  if (uuid === null) throw invalidSidecar('uuid is not a UUID');
  const optional = (field: 'provider' | 'size' | 'quality' | 'style', maxLength: number) =>
    parseOptional(field, said[field], maxLength);
  return {
    sha256: said.sha256,
    uuid,
    image: {
      ...parseImageInput(said, defaults),
      origin: said.origin,
      prompt: parseOptional('prompt', said.prompt || null, MAX_TEXT_LENGTH) ?? '',
      model: parseOptional('model', said.model, LIMITS.nameLength),
      originalUrl: parseOptional('originalUrl', said.originalUrl, MAX_URL_LENGTH),
      filename: said.filename ?? defaults.filename,
      originalFilename: originalNameOf(said.originalFilename ?? ''),
      uuid,
      createdAt: said.createdAt,
      revisedPrompt: parseOptional('revisedPrompt', said.revisedPrompt || null, MAX_TEXT_LENGTH),
      provider: optional('provider', 50),
      size: optional('size', 20),
      quality: optional('quality', 20),
      style: optional('style', 20),
    },
  };
}

function invalidSidecar(what: string): InputError {
  return new InputError('INVALID_INPUT', `The sidecar is not as Fixative writes it: ${what}.`);
}
