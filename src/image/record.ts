import { InputError } from '../errors.ts';
import type { Image } from './image.ts';
import type { ImportDeps } from './import/import-image.ts';
import { ingest } from './ingest/ingest.ts';
import { checkCreatedAt, parseOptional } from './input.ts';
import { MAX_PROMPT_LENGTH, parseUploadInput, type ReceivedFile, type UploadInput } from './upload/upload.ts';

/** Description of an image that another service has made. */
export interface RecordInput extends UploadInput {
  /** Name that the other service has for the tool. */
  readonly tool: string;
  readonly provider?: string | null | undefined;
  readonly size?: string | null | undefined;
  readonly quality?: string | null | undefined;
  readonly style?: string | null | undefined;
  readonly revisedPrompt?: string | null | undefined;
  /** Number of images that the original request asked for. Default: 1. */
  readonly n?: number | null | undefined;
  /** Default: now. */
  readonly createdAt?: Date | null | undefined;
  /** Address at the provider. Default: the address that the bytes are fetched from. */
  readonly originalUrl?: string | null | undefined;
}

const MAX_N = 100;
const MAX_URL_LENGTH = 8192;

/** Checks the description of an image. @throws InputError INVALID_INPUT */
export function parseRecordInput(input: RecordInput, defaults: { userId: string }) {
  const { n, createdAt } = input;
  if (n != null && (n < 1 || n > MAX_N)) {
    const message = `n is ${n}; it must be from 1 to ${MAX_N}.`;
    throw new InputError('INVALID_INPUT', message, { path: ['input', 'n'] });
  }
  return {
    ...parseUploadInput(input, defaults),
    provider: parseOptional('provider', input.provider, 50),
    size: parseOptional('size', input.size, 20),
    quality: parseOptional('quality', input.quality, 20),
    style: parseOptional('style', input.style, 20),
    revisedPrompt: parseOptional('revisedPrompt', input.revisedPrompt, MAX_PROMPT_LENGTH),
    n: n ?? 1,
    originalUrl: parseOptional('originalUrl', input.originalUrl, MAX_URL_LENGTH),
    ...(createdAt ? { createdAt: checkCreatedAt(createdAt) } : {}),
  };
}

/** Source of the bytes: a file, or an address to fetch them from. */
export type RecordSource = { readonly file: ReceivedFile } | { readonly url: string };

/**
 * Records an image that another service has made, with that service's names.
 * @throws what the guarded fetch and `ingest` throw. Nothing is recorded then.
 */
export async function recordImage(
  deps: ImportDeps,
  source: RecordSource,
  record: ReturnType<typeof parseRecordInput>,
): Promise<Image> {
  const keep = (file: ReceivedFile) =>
    ingest(deps, file.spool, {
      ...record,
      origin: 'recorded',
      filename: record.filename ?? file.filename,
      originalUrl: record.originalUrl ?? ('url' in source ? source.url : null),
    });
  const bytes = 'file' in source ? source.file.spool.bytes : undefined;
  await deps.quotas?.requireRoom(record.userId, bytes === undefined ? {} : { bytes });
  if ('file' in source) return keep(source.file);
  const fetched = await deps.fetcher.fetch(source.url);
  try {
    return await keep(fetched);
  } finally {
    await fetched.spool.discard();
  }
}
