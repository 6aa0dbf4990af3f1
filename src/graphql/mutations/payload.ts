import { isDatabaseAway } from '../../database/driver/errors.ts';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { FixativeError } from '../../errors.ts';
import type { Image as ImageModel } from '../../image/image.ts';
import { builder } from '../builder/builder.ts';
import { Image } from '../image/image.ts';
import { type Fault, UserError } from '../user-error.ts';

/** What every mutation answers: what it is about, and what the caller can be told went wrong. */
export interface Payload {
  readonly userErrors: Fault[];
}

export interface ImagePayload extends Payload {
  readonly image: ImageModel | null;
}

/** Of every payload. */
export const USER_ERRORS = {
  type: [UserError] as [typeof UserError],
  description:
    'What went wrong that the caller can see, and often change; empty when nothing did. UNAUTHENTICATED, FORBIDDEN, DATABASE_UNAVAILABLE and INTERNAL are errors of the request.',
};

/** Of every payload of one image. */
export const IMAGE = {
  type: Image,
  nullable: true,
  description: 'The image as it is now; null where `userErrors` says why.',
} as const;

/** A payload of one image. @param description what it is the answer to. */
export const imagePayload = (name: string, description: string) =>
  builder.objectRef<ImagePayload>(name).implement({
    description,
    fields: (t) => ({
      image: t.expose('image', IMAGE),
      userErrors: t.expose('userErrors', USER_ERRORS),
    }),
  });

/** Codes that say that a caller is not let in, or that we failed; they are errors of the request, not of an input. */
const OF_THE_REQUEST: readonly string[] = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'DATABASE_UNAVAILABLE',
  'INTERNAL',
];

/**
 * Runs a mutation: what an input can cause goes into `userErrors`, everything else is an error of the request.
 * @param empty the rest of the payload when there is nothing to show.
 * @param work resolves to the rest of the payload, and to errors that it did not stop at.
 */
export async function answer<Shape extends Payload>(
  empty: Omit<Shape, 'userErrors'>,
  work: () => Promise<{ payload: Omit<Shape, 'userErrors'>; errors?: readonly FixativeError[] }>,
): Promise<Shape> {
  const build = (rest: Omit<Shape, 'userErrors'>, errors: readonly FixativeError[]) =>
    ({ ...rest, userErrors: errors.map((fault) => ({ fault })) }) as unknown as Shape;
  try {
    const { payload, errors } = await work();
    return build(payload, errors ?? []);
  } catch (error) {
    const known = error instanceof FixativeError ? error : diskErrorOf('The server', error);
    if (known === null || OF_THE_REQUEST.includes(known.code) || isDatabaseAway(error)) throw error;
    return build(empty, [known]);
  }
}
