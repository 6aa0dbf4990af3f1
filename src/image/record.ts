import { InputError } from '../errors.ts';
import type { Image } from './image.ts';
import type { RescueDeps } from './import/import-image.ts';
import { ingest } from './ingest/ingest.ts';
import { checkCreatedAt, parseOptional } from './input.ts';
import { MAX_PROMPT_LENGTH, parseUploadInput, type ReceivedFile, type UploadInput } from './upload/upload.ts';

/** What another service says of an image that it has made. */
export interface RecordInput extends UploadInput {
  /** The other service's own name for what it was made with. */
  readonly tool: string;
  readonly provider?: string | null | undefined;
  readonly size?: string | null | undefined;
  readonly quality?: string | null | undefined;
  readonly style?: string | null | undefined;
  readonly revisedPrompt?: string | null | undefined;
  /** How many images its request asked for; 1 without it. */
  readonly n?: number | null | undefined;
  /** Now, without it. */
  readonly createdAt?: Date | null | undefined;
  /** Where the provider had it; where it is fetched from, without it. */
  readonly originalUrl?: string | null | undefined;
}

const MAX_N = 100;
const MAX_URL_LENGTH = 8192;

/** Checks what another service says. @throws InputError INVALID_INPUT */
export function parseRecordInput(input: RecordInput, defaults: { userId: string }) {
  const { n, createdAt } = input;
  if (n != null && (n < 1 || n > MAX_N)) throw invalid('n', `n is ${n}; it goes from 1 to ${MAX_N}.`);
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

/** The bytes: what was sent, or where they are to be fetched from. */
export type RecordSource = { readonly file: ReceivedFile } | { readonly url: string };

/**
 * Keeps an image that another service made, under that service's own names.
 * @throws what the guarded fetch and `ingest` throw; nothing is recorded then.
 */
export async function recordImage(
  deps: RescueDeps,
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

function invalid(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
