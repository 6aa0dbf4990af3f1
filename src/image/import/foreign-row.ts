import { FixativeError } from '../../errors.ts';
import { parseExactly } from '../../json.ts';
import type { NewImage } from '../ingest/ingest.ts';
import { checkCreatedAt, parseCreatedAt, parseImageInput, parseOptional } from '../input.ts';

/** What can be taken over from a row of another system. */
export const FIELDS = [
  ...['requestId', 'userId', 'username', 'toolName', 'prompt', 'revisedPrompt', 'provider', 'model', 'size'],
  ...['quality', 'style', 'n', 'filename', 'tags', 'status', 'error', 'metadata', 'messageId', 'createdAt'],
] as const;
export type Field =
  | ('requestId' | 'userId' | 'username' | 'toolName' | 'prompt' | 'revisedPrompt' | 'provider' | 'model')
  | ('size' | 'quality' | 'style' | 'n' | 'filename' | 'tags' | 'status' | 'error' | 'metadata' | 'messageId')
  | 'createdAt';

export type ForeignImage = Omit<NewImage, 'filename' | 'originalUrl'> & {
  readonly filename: string | null;
  /** Of its own system: success, failed, pending, processing; null when it has no such column. */
  readonly status: string | null;
  readonly error: string | null;
};

const MAX_PROMPT_LENGTH = 1_000_000;

/**
 * Makes an image of a row, in whatever types its columns are.
 * @throws InputError INVALID_INPUT for what our own table cannot hold.
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

/** An array of SQL or of JSON, or text divided by commas or semicolons. */
function tagsOf(value: unknown): string[] {
  const list = typeof value === 'string' ? (parseJson(value) ?? value.split(/[,;]/)) : value;
  if (!Array.isArray(list)) return [];
  return list.map((tag) => (textOf(tag) ?? '').trim()).filter(Boolean);
}

/** What is JSON but no object is kept as the `value` of one. */
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

/** Reads a time; a number counts seconds or, if it is that large, milliseconds since 1970. `pg` gives an int8 as text. */
function timeOf(value: unknown): Date | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return checkCreatedAt(value);
  const text = String(value);
  const number = /^\d{6,14}(\.\d+)?$/.test(text) ? Number(text) : null;
  if (number === null) return parseCreatedAt(text);
  return checkCreatedAt(new Date(number < 1e11 ? number * 1000 : number));
}

/**
 * The addresses of a row at which its bytes may be, those of its own server made whole by `baseUrl`; and whether one was left out for want
 * of that.
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
    // Not a fault of the row: it is left for a run that knows better.
    throw new FixativeError('INVALID_INPUT', 'Its address is relative; say what to with --base-url.', {
      retryable: true,
    });
  }
  const wanted = urls.filter((text) => text?.trim()).length;
  return { addresses: [...new Set(found)], leftOut: found.length < wanted };
}
