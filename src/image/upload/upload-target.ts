import { v7 as uuidV7 } from 'uuid';
import { recordAudit } from '../../audit/audit.ts';
import type { UploadTarget } from '../../database/generated/client/client.ts';
import {
  FixativeError,
  InputError,
  NotFoundError,
  TooLargeError,
  UnsupportedTypeError,
} from '../../errors.ts';
import type { ArrivalAddress, Arrivals } from '../../storage/arrivals/arrivals.ts';
import { SUPPORTED_TYPES } from '../../storage/picture/sniff.ts';
import { formatBytes } from '../../storage/spool/format-bytes.ts';
import { type ImageDeps, parseUuid } from '../image.ts';
import type { IngestDeps } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { parseText } from '../input.ts';
import { parseUploadInput, type UploadInput } from './upload.ts';

export type { UploadTarget };

export interface UploadTargetInput extends UploadInput {
  readonly filename: string;
  readonly mimeType: string;
  readonly bytes: bigint;
  /** SHA-256 in hexadecimal digits. With it, other bytes are rejected on arrival. */
  readonly sha256?: string | null | undefined;
  /** Group and item in the client's own system. Both become a part of the filename and of the metadata. */
  readonly prefix?: string | null | undefined;
  readonly itemId?: string | null | undefined;
}

export interface UploadTargetDeps extends ImageDeps, IngestDeps {
  /**
   * Places where bytes arrive: the first for new targets, the others for targets from before a change of
   * settings.
   */
  readonly arrivals: readonly [Arrivals, ...Arrivals[]];
  readonly uploadTargetSeconds: number;
  readonly quotas: Quotas;
}

export interface OpenedTarget extends ArrivalAddress {
  readonly id: string;
  readonly expiresAt: Date;
}

/** Description of the target's image. `refused`: why the bytes did not become one. */
export type TargetRecord = ReturnType<typeof parseUploadInput> & {
  readonly refused?: { readonly code: string; readonly message: string };
};

export const MAX_OPEN_TARGETS = 100;
const COUNT_OPEN = `SELECT count(*) AS open FROM upload_targets WHERE user_id = $1 AND completed_at IS NULL AND expires_at > now()`;
const CREATE = `INSERT INTO upload_targets (id, user_id, kind, filename, mime_type, bytes, sha256, record, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9)`;
/** Seconds after the expiry in which a target can be completed with bytes that arrived in time. */
export const COMPLETE_GRACE_SECONDS = 15 * 60;

/**
 * Creates an address to which a client sends the bytes of one image outside of GraphQL. Checks the
 * announcement first: a client must not send for minutes what would be rejected. completeUpload checks the
 * bytes themselves.
 * @throws InputError, TooLargeError, UnsupportedTypeError, QuotaExceededError; LIMIT_REACHED with 100 open
 *   targets of the user; NO_SPACE; StoreError.
 */
export async function createUploadTarget(
  deps: UploadTargetDeps,
  input: UploadTargetInput,
  caller: { userId: string },
): Promise<OpenedTarget> {
  const { record, ...content } = parseTargetInput(input, {
    ...caller,
    maxBytes: deps.storage.spooler.maxBytes,
  });
  await deps.quotas.requireRoom(record.userId, { bytes: content.bytes });
  await deps.storage.requireSpace();
  const id = uuidV7();
  // In whole seconds, like the expiry of signatures.
  const expiresAt = new Date(Math.ceil(Date.now() / 1000 + deps.uploadTargetSeconds) * 1000);
  const [place] = deps.arrivals;
  const address = await place.address({ id, expiresAt, ...content });
  const { userId } = record;
  await deps.database.exclusively(`upload-targets:${userId}`, async (lock) => {
    const [counted] = await lock.query<{ open: number }>(COUNT_OPEN, [userId]);
    const open = counted?.open ?? 0;
    if (open >= MAX_OPEN_TARGETS) {
      throw new FixativeError(
        'LIMIT_REACHED',
        `The user has ${open} open upload targets; at most ${MAX_OPEN_TARGETS} are allowed. Complete some, or wait until they expire.`,
        { retryable: true },
      );
    }
    const { mimeType, bytes, sha256 } = content;
    const text = JSON.stringify(record);
    const values = [id, userId, place.kind, record.filename ?? '', mimeType, bytes, sha256, text, expiresAt];
    await lock.transaction(async (transaction) => {
      await transaction.query(CREATE, values);
      await recordAudit(transaction, { action: 'upload.create', subject: id, details: { userId, bytes } });
    });
  });
  return { id, expiresAt, ...address };
}

/**
 * Finds a target.
 * @param visibleTo user id that targets are limited to; null: no limit.
 * @throws InputError INVALID_ID, NotFoundError.
 */
export async function requireTarget(
  { database }: Pick<ImageDeps, 'database'>,
  idText: string,
  visibleTo: string | null,
): Promise<UploadTarget> {
  const id = parseUuid(idText);
  const path = ['input', 'target'];
  if (!id)
    throw new InputError(
      'INVALID_ID',
      `${JSON.stringify(idText.slice(0, 100))} is not an id of an upload target.`,
      {
        path,
      },
    );
  const target = await database.prisma.uploadTarget.findUnique({ where: { id } });
  if (target && (visibleTo === null || target.userId === visibleTo)) return target;
  throw new NotFoundError(`There is no upload target ${id}, or it has expired. Create a new one.`, { path });
}

function parseTargetInput(input: UploadTargetInput, limits: { userId: string; maxBytes: number }) {
  const { mimeType, bytes, sha256, prefix, itemId, ...image } = input;
  const type = mimeType.trim().toLowerCase();
  if (!Object.hasOwn(SUPPORTED_TYPES, type)) {
    throw new UnsupportedTypeError(
      `The type ${JSON.stringify(mimeType.slice(0, 100))} is not supported. Supported are ${Object.keys(SUPPORTED_TYPES).join(', ')}.`,
      mimeType.slice(0, 100),
      { path: ['input', 'mimeType'] },
    );
  }
  if (bytes < 1n)
    throw new InputError('INVALID_INPUT', 'bytes must be at least 1.', { path: ['input', 'bytes'] });
  if (bytes > limits.maxBytes) {
    throw new TooLargeError(
      `The file has ${formatBytes(Number(bytes))}; at most ${formatBytes(limits.maxBytes)} are allowed (MAX_UPLOAD_BYTES).`,
      { limit: limits.maxBytes, actual: Number(bytes), unit: 'bytes' },
      { path: ['input', 'bytes'] },
    );
  }
  if (sha256 && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new InputError('INVALID_INPUT', 'sha256 must be 64 hexadecimal digits.', {
      path: ['input', 'sha256'],
    });
  }
  const item = {
    ...(prefix ? { prefix: parseText('prefix', prefix, 100) } : {}),
    ...(itemId ? { itemId: parseText('itemId', itemId, 100) } : {}),
  };
  const record = parseUploadInput(
    { ...image, metadata: withItem(image.metadata, item) },
    { userId: limits.userId },
  );
  // Removes folders from the filename only; a slash in a prefix becomes a dash.
  const parts = [...Object.values(item), image.filename.replace(/^.*[/\\]/s, '')];
  const filename = parts.map((part) => part.replaceAll(/[/\\]+/g, '-')).join('-');
  return {
    record: { ...record, filename },
    mimeType: type,
    bytes: Number(bytes),
    sha256: sha256?.toLowerCase() ?? null,
  };
}

/** Adds the item to metadata. Metadata that is not an object stays as it is; parseUploadInput rejects it. */
function withItem(metadata: unknown, item: Readonly<Record<string, string>>): unknown {
  if (Object.keys(item).length === 0) return metadata;
  const known = metadata ?? {};
  return typeof known === 'object' && !Array.isArray(known) ? { ...known, ...item } : known;
}
