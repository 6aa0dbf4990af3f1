import { KiB } from '../config.ts';
import { InputError } from '../errors.ts';
import { FIRST_TIME, parseTime } from '../time.ts';
import type { Visibility } from './image.ts';
import { faultOfJson, faultOfText } from './json.ts';

/** Description of an image by a client, in every mutation and import. */
export interface ImageInput {
  readonly userId?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly tool?: string | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly messageId?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly metadata?: unknown;
  /** Default: DEFAULT_VISIBILITY. */
  readonly visibility?: Visibility | null | undefined;
}

/** Checked description of an image, with the names of the columns. */
export interface ImageRecord {
  readonly userId: string;
  readonly username: string | null;
  readonly toolName: string;
  readonly requestId: string | null;
  readonly messageId: string | null;
  readonly tags: string[];
  readonly metadata: Record<string, unknown> | null;
  /** null: DEFAULT_VISIBILITY. */
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
 * Checks the description of an image.
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

/**
 * Returns the text.
 * @throws InputError INVALID_INPUT when it is empty or too long, or when the database cannot store it.
 */
export function parseText(field: string, value: string, maxLength: number): string {
  if (value.trim() === '') throw invalidInput(field, `${field} is empty; enter text or leave it out.`);
  if (value.length > maxLength) {
    throw invalidInput(field, `${field} has ${value.length} characters; at most ${maxLength} are allowed.`);
  }
  checkCharacters(field, value);
  return value;
}

/** Seconds by which a time may lie ahead: clocks of other machines differ. */
const MAX_AHEAD_SECONDS = 60;

/** Returns whether a time lies in the future, by more than clocks differ. */
export const isAhead = (time: Date) => time.getTime() > Date.now() + MAX_AHEAD_SECONDS * 1000;

/** Returns the time. @throws InputError INVALID_INPUT for a time in the future, or before the year 1. */
export function checkCreatedAt(time: Date): Date {
  if (time < FIRST_TIME) throw invalidInput('createdAt', 'createdAt is before the year 1.');
  if (!isAhead(time)) return time;
  throw invalidInput('createdAt', `createdAt is in the future: ${time.toISOString()}.`);
}

/**
 * Reads `createdAt` from text.
 * @throws InputError INVALID_INPUT for text that is no time, and like `checkCreatedAt`.
 */
export function parseCreatedAt(text: string): Date {
  const time = parseTime(text);
  if (time) return checkCreatedAt(time);
  throw invalidInput(
    'createdAt',
    `createdAt is not a time as in RFC 3339: ${JSON.stringify(text.slice(0, 100))}.`,
  );
}

/** @throws InputError INVALID_INPUT for text that the database cannot store. */
export function checkCharacters(field: string, value: string): void {
  const fault = faultOfText(value);
  if (fault) throw invalidInput(field, `${field} ${fault}.`);
}

/** Returns the tags without duplicates. @throws InputError INVALID_INPUT */
export function parseTags(tags: readonly string[], field = 'tags'): string[] {
  if (tags.length > LIMITS.tags)
    throw invalidInput(field, `There are ${tags.length} ${field}; at most ${LIMITS.tags} are allowed.`);
  return [...new Set(tags.map((tag) => parseText(field, tag, LIMITS.tagLength)))];
}

/**
 * Returns the metadata.
 * @throws InputError INVALID_INPUT for JSON that is no object, too large, or cannot be stored.
 */
export function parseMetadata(metadata: unknown, field = 'metadata'): Record<string, unknown> | null {
  if (metadata === null) return null;
  if (typeof metadata !== 'object' || Array.isArray(metadata))
    throw invalidInput(field, `${field} must be a JSON object.`);
  const fault = faultOfJson(metadata, LIMITS.metadataDepth);
  if (fault) throw invalidInput(field, `${field} ${fault}.`);
  const text = JSON.stringify(metadata);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.metadataBytes) {
    throw invalidInput(
      field,
      `${field} has ${bytes} bytes as JSON; at most ${LIMITS.metadataBytes} are allowed.`,
    );
  }
  return metadata as Record<string, unknown>;
}

function invalidInput(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
