import { FixativeError } from '../../errors.ts';
import { parseExactly } from '../../json.ts';
import type { NewImage } from '../ingest/ingest.ts';
import { checkCreatedAt, parseCreatedAt, parseImageInput, parseOptional } from '../input.ts';

/** Fields that can be imported from a row of another system. */
export const FIELDS = [
  'requestId',
  'userId',
  'username',
  'toolName',
  'prompt',
  'revisedPrompt',
  'provider',
  'model',
  'size',
  'quality',
  'style',
  'n',
  'filename',
  'tags',
  'status',
  'error',
  'metadata',
  'messageId',
  'createdAt',
] as const;
export type Field = (typeof FIELDS)[number];

export type ForeignImage = Omit<NewImage, 'filename' | 'originalUrl'> & {
  readonly filename: string | null;
  /** Status in its own system: success, failed, pending, processing; null: the table has no such column. */
  readonly status: string | null;
  readonly error: string | null;
};

const MAX_PROMPT_LENGTH = 1_000_000;

/**
 * Reads an image from a row, whatever the types of its columns.
 * @throws InputError INVALID_INPUT for values that our own table cannot hold.
 */
export function parseForeignRow(
  row: Readonly<Record<string, unknown>>,
  defaults: { userId: string },
): ForeignImage {
  const text = (field: Field, maxLength: number) =>
    parseOptional(field, blankToNull(textOf(row[field])), maxLength);
  const createdAt = timeOf(row.createdAt);
  return {
    ...parseImageInput(
      {
        userId: blankToNull(textOf(row.userId)),
        username: blankToNull(textOf(row.username)),
        tool: blankToNull(textOf(row.toolName)),
        requestId: blankToNull(textOf(row.requestId)),
        messageId: blankToNull(textOf(row.messageId)),
        tags: tagsOf(row.tags),
        metadata: metadataOf(row.metadata),
      },
      { ...defaults, tool: 'import' },
    ),
    origin: 'imported',
    prompt: text('prompt', MAX_PROMPT_LENGTH) ?? '',
    revisedPrompt: text('revisedPrompt', MAX_PROMPT_LENGTH),
    provider: text('provider', 50),
    model: text('model', 200),
    size: text('size', 20),
    quality: text('quality', 20),
    style: text('style', 20),
    n: Number.isSafeInteger(Number(row.n ?? 1)) ? Number(row.n ?? 1) : 1,
    filename: text('filename', 1000),
    status: text('status', 50)?.toLowerCase() ?? null,
    error: text('error', MAX_PROMPT_LENGTH),
    ...(createdAt ? { createdAt } : {}),
  };
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function blankToNull(text: string | null): string | null {
  return text?.trim() ? text : null;
}

/** Reads tags from an array of SQL or JSON, or from text with commas or semicolons between them. */
function tagsOf(value: unknown): string[] {
  const list = typeof value === 'string' ? (parseJson(value) ?? value.split(/[,;]/)) : value;
  if (!Array.isArray(list)) return [];
  return list.map((tag) => (textOf(tag) ?? '').trim()).filter(Boolean);
}

/** Reads metadata. JSON that is not an object becomes the `value` of one. */
function metadataOf(value: unknown): unknown {
  const json = typeof value === 'string' ? (parseJson(value) ?? value) : (value ?? null);
  const isObject = typeof json === 'object' && !Array.isArray(json) && !JSON.isRawJSON(json);
  return json === null || isObject ? json : { value: json };
}

function parseJson(text: string): unknown {
  try {
    return parseExactly(text);
  } catch {
    return null;
  }
}

/**
 * Reads a time. A number counts seconds since 1970, or milliseconds when it is that large. `pg` returns an
 * int8 as text.
 */
function timeOf(value: unknown): Date | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return checkCreatedAt(value);
  const text = String(value);
  const number = /^\d{6,14}(\.\d+)?$/.test(text) ? Number(text) : null;
  if (number === null) return parseCreatedAt(text);
  return checkCreatedAt(new Date(number < 1e11 ? number * 1000 : number));
}

/**
 * Returns the addresses at which the bytes of a row may be. Relative ones are resolved against `baseUrl`;
 * without it they are left out.
 * @throws FixativeError INVALID_INPUT, retryable, when all are relative and there is no `baseUrl`.
 */
export function addressesOf(
  urls: readonly (string | null)[],
  baseUrl: string | null,
): { addresses: string[]; leftOut: boolean } {
  const found = urls.flatMap((text) => {
    if (!text?.trim()) return [];
    if (URL.canParse(text)) return [text];
    const url = baseUrl === null ? null : URL.parse(text, baseUrl);
    return url ? [url.href] : [];
  });
  if (found.length === 0 && urls.some((text) => text?.trim())) {
    // Retryable: the row is left for a run with --base-url.
    const message = 'The address of the row is relative. Set the address of its server with --base-url.';
    throw new FixativeError('INVALID_INPUT', message, { retryable: true });
  }
  const wanted = urls.filter((text) => text?.trim()).length;
  return { addresses: [...new Set(found)], leftOut: found.length < wanted };
}
