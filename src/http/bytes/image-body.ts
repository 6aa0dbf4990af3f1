import type { IncomingMessage } from 'node:http';
import type { Grant } from '../../auth/image-address.ts';
import type { ImageBytes } from '../../image/bytes.ts';
import type { ServedBlob, Storage } from '../../storage/service.ts';
import type { ByteRange } from '../../storage/stores/store.ts';
import {
  MAX_VARIANT_SIDE,
  negotiate,
  planVariant,
  type Transform,
} from '../../storage/variants/transform.ts';
import type { Variants } from '../../storage/variants/variants.ts';
import { weightsOf } from '../response/accept.ts';
import { dispositionOf } from './content-disposition.ts';
import { type LetInBy, type Sharing, sharingHeaders } from './cross-origin.ts';
import type { DelegatedResponse, Delivery } from './delivery.ts';

/** An original or a variant of an image, to send. */
export interface Body {
  readonly etag: string;
  readonly mimeType: string;
  /** Content-Disposition. */
  readonly disposition: string;
  /** Whether the Accept header decides the format. */
  readonly isNegotiated: boolean;
  /** Lets another server send the bytes; null: none can. */
  delegate?(request: IncomingMessage): Promise<DelegatedResponse | null>;
  open(): Promise<Opened>;
}

interface Opened {
  readonly bytes: number;
  take(range?: ByteRange): ServedBlob | Promise<ServedBlob>;
  /** Called instead of `take`. */
  discard(): Promise<void>;
}

export function originalOf(
  { delivery, storage }: { readonly delivery: Delivery | null; readonly storage: Storage },
  image: ImageBytes,
  by: LetInBy,
): Body {
  const { blob } = image;
  const take = (range?: ByteRange) => storage.serve(blob, range);
  return {
    etag: `"${blob.sha256}"`,
    mimeType: blob.mimeType,
    disposition: dispositionOf(image),
    isNegotiated: false,
    ...(delivery && { delegate: (request: IncomingMessage) => delivery.delegate(request, image, by) }),
    open: async () => ({ bytes: blob.bytes, take, discard: async () => {} }),
  };
}

export function variantOf(
  deps: { readonly variants: Variants; readonly variantSizes: readonly number[] },
  image: ImageBytes,
  { transform, grant, accept }: { transform: Transform; grant: Grant; accept: string | undefined },
): Body {
  const { blob } = image;
  const maxSide = grant.size ? MAX_VARIANT_SIDE : Math.max(...deps.variantSizes);
  const isNegotiated = transform.format === 'auto';
  const asked = isNegotiated ? negotiate(blob, transform, { takes: takesOf(accept), maxSide }) : transform;
  const plan = planVariant(blob, asked, maxSide);
  const extension = plan.format === 'jpeg' ? 'jpg' : plan.format;
  return {
    etag: deps.variants.etagOf(blob, plan),
    mimeType: `image/${plan.format}`,
    disposition: dispositionOf(image, extension),
    isNegotiated,
    async open() {
      const { bytes, content, stream, discard } = await deps.variants.open(blob, plan);
      const take = (range?: ByteRange): ServedBlob => {
        if (!content) return { stream: stream(range) };
        return { content: range ? content.subarray(range.start, range.end + 1) : content, done: null };
      };
      return { bytes, take, discard };
    },
  };
}

/** Returns a test for the types that an Accept header accepts. Without a header it accepts every type. */
function takesOf(accept: string | undefined): (mimeType: string, any?: 'any') => boolean {
  const weights = weightsOf(accept || '*/*');
  return (mimeType, any) => {
    const named = weights.get(mimeType);
    if (named !== undefined || !any) return (named ?? 0) > 0;
    return (weights.get('image/*') ?? weights.get('*/*') ?? 0) > 0;
  };
}

/** Seconds that a browser may cache a private image. Access may be revoked meanwhile. */
const PRIVATE_SECONDS = 300;

/** Returns the headers of every response about an image. */
export function headersOf(
  sharing: Sharing,
  by: LetInBy,
  { isNegotiated }: Pick<Body, 'isNegotiated'> = { isNegotiated: false },
): Record<string, string> {
  return {
    'X-Content-Type-Options': 'nosniff',
    // Chromium styles the page in which it shows an image.
    'Content-Security-Policy': `default-src 'none'; style-src 'unsafe-inline'; sandbox${by === 'caller' ? "; frame-ancestors 'self'" : ''}`,
    // The bytes of a public URL never change.
    'Cache-Control':
      by === 'public' ? 'public, max-age=31536000, immutable' : `private, max-age=${PRIVATE_SECONDS}`,
    ...sharingHeaders(sharing, by, isNegotiated ? ['Accept'] : []),
  };
}

/** Returns the headers that describe the bytes. */
export function contentHeadersOf({ mimeType, disposition }: Body): Record<string, string> {
  return {
    'Accept-Ranges': 'bytes',
    'Content-Type': mimeType,
    'Content-Disposition': disposition,
  };
}
