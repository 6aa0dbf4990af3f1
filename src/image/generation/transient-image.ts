import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { v7 as uuidV7 } from 'uuid';
import { FixativeError } from '../../errors.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import type { Image, ImageDeps } from '../image.ts';
import { exactFilename } from '../ingest/filename.ts';

/** Columns that are known before the image is generated. */
export type KnownColumns = Omit<Partial<Image>, 'metadata'> & {
  readonly metadata: Record<string, unknown> | null;
  readonly userId: string;
};

/** Result of one generation: a file until the end of the request, or an error. */
export type Outcome =
  | {
      readonly spool: Spool;
      readonly revisedPrompt: string | null;
      readonly originalUrl: string | null;
      readonly metadata: object;
    }
  | { readonly error: unknown };

/**
 * Returns an image like one from the database, with its bytes as a data URL.
 * @throws what readPicture throws.
 */
export async function makeTransientImage(
  { storage }: Pick<ImageDeps, 'storage'>,
  { stem, columns }: { readonly stem: string; readonly columns: KnownColumns },
  outcome: Outcome,
): Promise<Image & { dataUrl?: string }> {
  const now = new Date();
  const image = { ...EMPTY, ...columns, uuid: uuidV7(), createdAt: now, updatedAt: now } as Image;
  if ('error' in outcome) return { ...image, status: 'failed', ...explain(outcome.error) };
  const { spool, revisedPrompt, originalUrl, metadata } = outcome;
  const bytes = await readFile(spool.path);
  const { mimeType, width, height, thumbhash } = await storage.readPicture(spool);
  return {
    ...image,
    status: 'success',
    revisedPrompt,
    originalUrl,
    metadata: { ...metadata, ...columns.metadata } as Image['metadata'],
    mimeType,
    width,
    height,
    thumbhash,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    filename: exactFilename(stem, mimeType),
    dataUrl: `data:${mimeType};base64,${bytes.toString('base64')}`,
  };
}

function explain(error: unknown): Pick<Image, 'error' | 'errorCode' | 'errorRetryable'> {
  if (error instanceof FixativeError)
    return { error: error.message, errorCode: error.code, errorRetryable: error.retryable };
  const message = 'The server failed with an unexpected error. Its log has the reason.';
  return { error: message, errorCode: 'INTERNAL', errorRetryable: true };
}

const EMPTY: Omit<
  Image,
  'uuid' | 'userId' | 'toolName' | 'prompt' | 'origin' | 'status' | 'createdAt' | 'updatedAt'
> = {
  id: 0n,
  requestId: null,
  username: null,
  revisedPrompt: null,
  provider: null,
  model: null,
  size: null,
  quality: null,
  style: null,
  n: 1,
  filename: null,
  originalFilename: null,
  storageUrl: '',
  storageProvider: null,
  originalUrl: null,
  mimeType: null,
  bytes: null,
  sha256: null,
  width: null,
  height: null,
  thumbhash: null,
  tags: [],
  error: null,
  errorCode: null,
  errorRetryable: null,
  metadata: null,
  messageId: null,
  blobId: null,
  visibility: 'public',
  deletedAt: null,
  parentId: null,
  partOf: null,
  part: null,
  pinned: false,
};
