/**
 * The JSON that stands beside an exported file, `<file>.json`: everything that is said of an image and is not in its bytes. `"fixative": 1`
 * tells it from what other programs put beside pictures. What comes back in is checked like any input: a sidecar is a file that anybody
 * can write.
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
/** Metadata has at most 64 KiB, a prompt at most 32,000 characters; each of these may be six bytes of JSON. */
export const MAX_SIDECAR_BYTES = 2 * MiB;
const MAX_TEXT_LENGTH = 64 * 1024;
const MAX_URL_LENGTH = 8192;

/** @param createdAt ISO 8601, to the microsecond. */
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
  // With six digits of a second, which a Date does not hold.
  createdAt: z.string().refine(isTimeInUtc, 'is not a time in UTC as RFC 3339 writes it'),
});

/** With up to six digits of a second. */
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
 * The JSON of the sidecar at `file`, or null where there is none, or one that another program put there.
 * @throws InputError INVALID_INPUT for one of ours that is damaged: an image must not come back without what was known of it.
 */
export async function readSidecar(file: FilePath): Promise<Record<string, unknown> | null> {
  if (!(await isFile(file))) return null;
  await using handle = await openFile(file);
  const { size } = await handle.stat();
  if (size > MAX_SIDECAR_BYTES) return null;
  const text = (await handle.readFile()).toString('utf8');
  if (!text.includes('"fixative"')) return null;
  try {
    // What another service wrote into a row comes back as it was.
    const json = parseExactly(text);
    const isOurs = typeof json === 'object' && json !== null && Object.hasOwn(json, 'fixative');
    return isOurs ? (json as Record<string, unknown>) : null;
  } catch (cause) {
    throw new InputError('INVALID_INPUT', 'The sidecar is one of ours and is damaged.', { cause });
  }
}

/** @throws InputError INVALID_INPUT that names the field. */
export function parseSidecar(
  json: unknown,
  defaults: { userId: string; tool: string; filename: string },
): Sidecar {
  const parsed = SIDECAR.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.join('.') || 'it'}: ${issue?.message}`);
  }
  const said = parsed.data;
  const uuid = parseUuid(said.uuid);
  if (uuid === null) throw invalid('uuid is none');
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

function invalid(what: string): InputError {
  return new InputError('INVALID_INPUT', `The sidecar is not one of ours: ${what}.`);
}
