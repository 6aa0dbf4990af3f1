import { KiB } from '../config.ts';
import { InputError } from '../errors.ts';
import { FIRST_TIME, parseTime } from '../time.ts';
import type { Visibility } from './image.ts';
import { faultOfJson, faultOfText } from './json.ts';

/** What a caller says of an image, on every way in. */
export interface ImageInput {
  readonly userId?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly tool?: string | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly messageId?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly metadata?: unknown;
  /** The server's default (DEFAULT_VISIBILITY) without it. */
  readonly visibility?: Visibility | null | undefined;
}

/** The same, checked, with the names of the columns. */
export interface ImageRecord {
  readonly userId: string;
  readonly username: string | null;
  readonly toolName: string;
  readonly requestId: string | null;
  readonly messageId: string | null;
  readonly tags: string[];
  readonly metadata: Record<string, unknown> | null;
  /** null: the server's default. */
  readonly visibility: Visibility | null;
}

export const LIMITS = {
  userIdLength: 255,
  nameLength: 200,
  tags: 50,
  tagLength: 100,
  metadataBytes: 64 * KiB,
  metadataDepth: 20,
} as const;

/**
 * Checks what a caller says of an image.
 * @throws InputError INVALID_INPUT that names the field and its limit.
 */
export function parseImageInput(input: ImageInput, defaults: { userId: string; tool: string }): ImageRecord {
  return {
    userId: parseText('userId', input.userId ?? defaults.userId, LIMITS.userIdLength),
    username: parseOptional('username', input.username, LIMITS.nameLength),
    toolName: parseText('tool', input.tool ?? defaults.tool, LIMITS.nameLength),
    requestId: parseOptional('requestId', input.requestId, LIMITS.nameLength),
    messageId: parseOptional('messageId', input.messageId, LIMITS.nameLength),
    tags: parseTags(input.tags ?? []),
    metadata: parseMetadata(input.metadata ?? null),
    visibility: input.visibility ?? null,
  };
}

export function parseOptional(
  field: string,
  value: string | null | undefined,
  maxLength: number,
): string | null {
  return value === null || value === undefined ? null : parseText(field, value, maxLength);
}

/** Text that the database can keep: not empty, no NUL, no half of a surrogate pair, not too long. */
export function parseText(field: string, value: string, maxLength: number): string {
  if (value.trim() === '') throw invalid(field, `${field} is empty.`);
  if (value.length > maxLength) {
    throw invalid(field, `${field} has ${value.length} characters; ${maxLength} are allowed.`);
  }
  checkCharacters(field, value);
  return value;
}

/** Clocks of other machines may be ahead of ours. */
const MAX_AHEAD_SECONDS = 60;

/** Whether a time lies so far ahead that no clock explains it. */
export const isAhead = (time: Date) => time.getTime() > Date.now() + MAX_AHEAD_SECONDS * 1000;

/** When an image was made, as a caller says it. @throws InputError INVALID_INPUT for a time that has not come, or before the year 1. */
export function checkCreatedAt(time: Date): Date {
  if (time < FIRST_TIME) throw invalid('createdAt', 'createdAt lies before the year 1.');
  if (!isAhead(time)) return time;
  throw invalid('createdAt', `createdAt lies in the future: ${time.toISOString()}.`);
}

/** The same as text. @throws InputError INVALID_INPUT for what is no time, and for one that has not come. */
export function parseCreatedAt(text: string): Date {
  const time = parseTime(text);
  if (time) return checkCreatedAt(time);
  throw invalid(
    'createdAt',
    `createdAt is not a time as RFC 3339 writes it: ${JSON.stringify(text.slice(0, 100))}.`,
  );
}

export function checkCharacters(field: string, value: string): void {
  const fault = faultOfText(value);
  if (fault) throw invalid(field, `${field} ${fault}.`);
}

export function parseTags(tags: readonly string[], field = 'tags'): string[] {
  if (tags.length > LIMITS.tags)
    throw invalid(field, `There are ${tags.length} ${field}; ${LIMITS.tags} are allowed.`);
  return [...new Set(tags.map((tag) => parseText(field, tag, LIMITS.tagLength)))];
}

export function parseMetadata(metadata: unknown, field = 'metadata'): Record<string, unknown> | null {
  if (metadata === null) return null;
  if (typeof metadata !== 'object' || Array.isArray(metadata))
    throw invalid(field, `${field} must be a JSON object.`);
  const fault = faultOfJson(metadata, LIMITS.metadataDepth);
  if (fault) throw invalid(field, `${field} ${fault}.`);
  const text = JSON.stringify(metadata);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.metadataBytes) {
    throw invalid(field, `${field} has ${bytes} bytes as JSON; ${LIMITS.metadataBytes} are allowed.`);
  }
  return metadata as Record<string, unknown>;
}

function invalid(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
