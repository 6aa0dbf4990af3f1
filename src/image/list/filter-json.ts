import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { parseTime } from '../../time.ts';
import { DURABILITIES } from '../copies.ts';
import { IMAGE_ORIGINS, IMAGE_STATUSES, VISIBILITIES } from '../image.ts';
import type { ImageFilter } from './conditions.ts';

const text = z.string().nullish();
const texts = z.array(z.string()).nullish();
const time = z
  .string()
  .transform((text, context) => {
    const parsed = parseTime(text);
    if (!parsed) context.addIssue({ code: 'custom', message: 'not a time as in RFC 3339' });
    return parsed ?? z.NEVER;
  })
  .nullish();
/** Accepts a value in lower case, as here, or in upper case, as in GraphQL. */
const oneOf = <const Values extends readonly string[]>(values: Values) =>
  z.string().toLowerCase().pipe(z.enum(values));

const FILTER = z.strictObject({
  userId: text,
  tool: text,
  tags: texts,
  anyTag: texts,
  status: z.array(oneOf(IMAGE_STATUSES)).nullish(),
  model: text,
  provider: text,
  origin: oneOf(IMAGE_ORIGINS).nullish(),
  requestId: text,
  messageId: text,
  sha256: text,
  createdAfter: time,
  createdBefore: time,
  search: text,
  filename: text,
  metadata: z.unknown().optional(),
  storageUrl: text,
  visibility: oneOf(VISIBILITIES).nullish(),
  pinned: z.boolean().nullish(),
  parts: z.boolean().nullish(),
  trash: oneOf(['exclude', 'include', 'only']).nullish(),
  durability: z.array(z.string().toUpperCase().pipe(z.enum(DURABILITIES))).nullish(),
  copies: z.strictObject({ store: text, state: z.string().toUpperCase().nullish() }).nullish(),
}) satisfies z.ZodType<ImageFilter>;

/**
 * Reads a filter from JSON, with the names of GraphQL's ImageFilter. Rejects unknown fields: ignoring one
 * would make the filter match more images.
 * @throws InputError INVALID_INPUT
 */
export function parseImageFilter(json: string): ImageFilter {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InputError('INVALID_INPUT', 'The filter is not valid JSON.', { cause });
  }
  const parsed = FILTER.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? ` (${issue.path.join('.')})` : '';
  throw new InputError('INVALID_INPUT', `The filter is not an ImageFilter: ${issue?.message}${where}.`);
}
