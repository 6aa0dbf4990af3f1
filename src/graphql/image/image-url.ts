import { requireScope } from '../../auth/authorization.ts';
import { MIN_SIGNED_SECONDS } from '../../auth/image-address.ts';
import { InputError } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import {
  type AskedFormat,
  checkTransform,
  type Fit,
  formatTransform,
  isListed,
  MAX_AVIF_SIDE,
  MAX_VARIANT_SIDE,
  QUALITY,
} from '../../storage/variants/transform.ts';
import { builder } from '../builder/builder.ts';
import type { GraphqlContext } from '../context.ts';

const VariantFit = builder.enumType('VariantFit', {
  description: 'How a picture is fitted into a width and a height.',
  values: {
    COVER: { value: 'cover', description: 'It fills them; what stands out is cut off.' },
    CONTAIN: {
      value: 'contain',
      description: 'All of it is within them; the rest is transparent, white in JPEG.',
    },
    INSIDE: { value: 'inside', description: 'All of it is within them, and nothing is added.' },
  } as const,
});

const VariantFormat = builder.enumType('VariantFormat', {
  description: 'The format of a variant.',
  values: {
    WEBP: { value: 'webp', description: `\`image/webp\`; \`quality\` ${QUALITY.webp} by default.` },
    JPEG: {
      value: 'jpeg',
      description: `\`image/jpeg\`; \`quality\` ${QUALITY.jpeg} by default. What is transparent becomes white.`,
    },
    PNG: { value: 'png', description: '`image/png`; it has no `quality`.' },
    AVIF: {
      value: 'avif',
      description: `\`image/avif\`, up to ${MAX_AVIF_SIDE} pixels a side; \`quality\` ${QUALITY.avif} by default.`,
    },
    AUTO: {
      value: 'auto',
      description: `What the request takes by its Accept header: AVIF where the variant is within ${MAX_AVIF_SIDE} pixels a side, else WebP, else as without a format. \`quality\` is that of WebP.`,
    },
  } as const,
});

export const ImageTransform = builder.inputType('ImageTransform', {
  description: 'What is to be made of a picture when it is fetched: docs/variants.md.',
  fields: (t) => ({
    width: t.int({ description: `In pixels, up to ${MAX_VARIANT_SIDE}.` }),
    height: t.int({ description: `In pixels, up to ${MAX_VARIANT_SIDE}.` }),
    fit: t.field({ type: VariantFit, description: 'With both sides; COVER by default.' }),
    format: t.field({ type: VariantFormat, description: "The original's by default, PNG for a GIF." }),
    quality: t.int({ description: '1 to 100; not of PNG.' }),
    enlarge: t.boolean({
      description: 'Whether it may be larger than the original; false by default.',
    }),
  }),
});

interface Wishes {
  readonly expiresInSeconds?: number | null | undefined;
  readonly transform?:
    | {
        readonly width?: number | null | undefined;
        readonly height?: number | null | undefined;
        readonly fit?: Fit | null | undefined;
        readonly format?: AskedFormat | null | undefined;
        readonly quality?: number | null | undefined;
        readonly enlarge?: boolean | null | undefined;
      }
    | null
    | undefined;
}

/**
 * The address of an image that has bytes. It is signed where it is to expire, or where it names a variant that is not had without.
 * @throws InputError INVALID_INPUT; FixativeError FORBIDDEN to a caller who may not read, for a signed address lets its reader in.
 */
export function urlOf(image: Image, wishes: Wishes, { services, caller }: GraphqlContext): string {
  const address = services.publicUrl() + image.storageUrl;
  const { transform: given, expiresInSeconds } = wishes;
  const transform = given ? checkTransform(withoutNulls(given)) : null;
  const written = transform ? formatTransform(transform) : '';
  if (expiresInSeconds != null) requireScope(caller, 'images:read');
  const expiresAt =
    expiresInSeconds == null ? null : expiryOf(expiresInSeconds, services.signedUrlMaxSeconds);
  if (!expiresAt && (!transform || isListed(transform, services.variantSizes)))
    return written ? `${address}?${written}` : address;
  return `${address}?${services.imageAddress.sign(image.uuid, { expiresAt, transform: written })}`;
}

function expiryOf(seconds: number, maxSeconds: number): Date {
  if (seconds >= MIN_SIGNED_SECONDS && seconds <= maxSeconds) return new Date(Date.now() + seconds * 1000);
  throw new InputError(
    'INVALID_INPUT',
    `expiresInSeconds is ${seconds}; it goes from ${MIN_SIGNED_SECONDS} to ${maxSeconds}.`,
    { path: ['expiresInSeconds'] },
  );
}

type Given = NonNullable<Wishes['transform']>;
type Said = { [Key in keyof Given]?: Exclude<Given[Key], null | undefined> };

/** null is as good as nothing. */
function withoutNulls(given: Given): Said {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value != null)) as Said;
}
