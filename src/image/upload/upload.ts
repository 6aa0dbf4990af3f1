import type { Spool } from '../../storage/spool/spool.ts';
import type { Image } from '../image.ts';
import { type IngestDeps, ingest, type OnDuplicate } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { checkCharacters, type ImageInput, parseImageInput, parseOptional } from '../input.ts';

export const MAX_PROMPT_LENGTH = 32_000;

export interface UploadInput extends ImageInput {
  readonly prompt?: string | null | undefined;
  readonly model?: string | null | undefined;
  /** Filename of the image. Default: the name of the file. */
  readonly filename?: string | null | undefined;
  /** Default: `create`. */
  readonly onDuplicate?: OnDuplicate | null | undefined;
}

/** A received file. */
export interface ReceivedFile {
  readonly spool: Spool;
  /** Untrusted name from the client. */
  readonly filename: string;
}

/** Checks the description of an upload, before its file has arrived. @throws InputError INVALID_INPUT */
export function parseUploadInput(input: UploadInput, defaults: { userId: string }) {
  if (input.prompt) checkCharacters('prompt', input.prompt);
  return {
    ...parseImageInput(input, { ...defaults, tool: 'uploadImage' }),
    prompt: parseOptional('prompt', input.prompt || null, MAX_PROMPT_LENGTH) ?? '',
    model: parseOptional('model', input.model, 200),
    filename: parseOptional('filename', input.filename, 255),
    onDuplicate: input.onDuplicate ?? 'create',
  };
}

/** Stores a received file as an image. @throws what `ingest` throws; QuotaExceededError. */
export async function uploadImage(
  deps: IngestDeps & { readonly quotas: Quotas },
  file: ReceivedFile,
  record: ReturnType<typeof parseUploadInput>,
): Promise<Image> {
  await deps.quotas.requireRoom(record.userId, { bytes: file.spool.bytes });
  return ingest(deps, file.spool, {
    ...record,
    origin: 'uploaded',
    filename: record.filename ?? file.filename,
  });
}
