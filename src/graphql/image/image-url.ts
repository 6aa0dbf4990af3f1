import { requireScope } from '../../auth/authorization.ts';
import { MIN_SIGNED_SECONDS } from '../../auth/image-address.ts';
import { InputError } from '../../errors.ts';
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
import type { ImageShape } from './image-shape.ts';

const VariantFit = builder.enumType('VariantFit', {
  description: 'How a picture is fitted into a width and a height.',
  values: {
    COVER: { value: 'cover', description: 'Fill both sides; crop what does not fit.' },
    CONTAIN: {
      value: 'contain',
      description: 'Fit the whole picture inside, and pad the rest: transparent, or white in JPEG.',
    },
    INSIDE: { value: 'inside', description: 'Fit the whole picture inside, without padding.' },
  } as const,
});

const VariantFormat = builder.enumType('VariantFormat', {
  description: 'File format of a variant.',
  values: {
    WEBP: { value: 'webp', description: `WebP. Default \`quality\`: ${QUALITY.webp}.` },
    JPEG: {
      value: 'jpeg',
      description: `JPEG; transparent pixels become white. Default \`quality\`: ${QUALITY.jpeg}.`,
    },
    PNG: { value: 'png', description: 'PNG. Takes no `quality`.' },
    AVIF: {
      value: 'avif',
      description: `AVIF, up to ${MAX_AVIF_SIDE} pixels a side. Default \`quality\`: ${QUALITY.avif}.`,
    },
    AUTO: {
      value: 'auto',
      description: `Chosen by the Accept header of each request: AVIF up to ${MAX_AVIF_SIDE} pixels a side, else WebP, else the default format. \`quality\` applies to WebP.`,
    },
  } as const,
});

export const ImageTransform = builder.inputType('ImageTransform', {
  description:
    'A variant of an image: resized, or in another format. It is rendered when its address is fetched. See docs/variants.md.',
  fields: (t) => ({
    width: t.int({
      description: `Width in pixels, 1 to ${MAX_VARIANT_SIDE}. Default: in proportion to \`height\`, or that of the original.`,
    }),
    height: t.int({
      description: `Height in pixels, 1 to ${MAX_VARIANT_SIDE}. Default: in proportion to \`width\`, or that of the original.`,
    }),
    fit: t.field({
      type: VariantFit,
      description: 'How to fit the picture, if both `width` and `height` are given. Default: COVER.',
    }),
    format: t.field({
      type: VariantFormat,
      description: 'File format. Default: that of the original; PNG for a GIF.',
    }),
    quality: t.int({
      description: 'Quality of the compression, 1 to 100. Not for PNG. Default: see `VariantFormat`.',
    }),
    enlarge: t.boolean({
      description: 'Whether the variant may be larger than the original. Default: false.',
    }),
  }),
});

interface UrlOptions {
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
 * Returns the address of the bytes of an image, or of a variant. It is signed if it expires, or if the
 * variant needs a signature.
 * @throws InputError INVALID_INPUT; FixativeError FORBIDDEN if the caller may not read images, because a
 * signed address gives their bytes.
 */
export function urlOf(
  image: Pick<ImageShape, 'uuid' | 'storageUrl'>,
  options: UrlOptions,
  { services, caller }: GraphqlContext,
): string {
  const address = services.publicUrl() + image.storageUrl;
  const { transform: given, expiresInSeconds } = options;
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
    `expiresInSeconds is ${seconds}; it must be ${MIN_SIGNED_SECONDS} to ${maxSeconds}.`,
    { path: ['expiresInSeconds'] },
  );
}

type TransformInput = NonNullable<UrlOptions['transform']>;
type GivenTransform = { [Key in keyof TransformInput]?: Exclude<TransformInput[Key], null | undefined> };

/** Returns the fields that are not null. */
function withoutNulls(given: TransformInput): GivenTransform {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value != null)) as GivenTransform;
}
