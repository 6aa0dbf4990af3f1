/**
 * Delivery of original bytes by another server. The checks of a response of our own come first: access to the
 * image, conditional requests, the range. docs/delivery.md says what is delivered so, and what is verified.
 * This server sends everything else itself.
 */
import type { IncomingMessage } from 'node:http';
import type { ImageBytes } from '../../image/bytes.ts';
import type { Storage } from '../../storage/service.ts';
import { dispositionOf } from './content-disposition.ts';
import type { LetInBy } from './cross-origin.ts';
import { parseRange } from './range.ts';

/** Head of a response whose bytes another server sends. */
export interface DelegatedResponse {
  readonly status: 200 | 302;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Delivery {
  /** Delegates a response; null: this server must send the bytes. */
  delegate(request: IncomingMessage, image: ImageBytes, by: LetInBy): Promise<DelegatedResponse | null>;
}

/** URLs of copies that need no request to this server. */
export interface CopyAddresses {
  /** Returns a permanent public URL, such as of a CDN; null: none. */
  publicUrl(store: string, key: string): string | null;
  /** Returns a URL that expires; null: the store cannot make one. */
  presign(store: string, key: string, content: PresignedAnswer): Promise<string | null>;
}

/** Response of a presigned URL. */
export interface PresignedAnswer {
  /** Seconds until the URL expires. */
  readonly seconds: number;
  readonly mimeType: string;
  /** Content-Disposition. */
  readonly disposition: string;
}

/** Seconds that browsers may cache a redirect. A deletion takes effect after that. */
const REDIRECT_SECONDS = 60;
/**
 * Seconds that a presigned URL is valid. For a public image, longer than the redirect is cached. For a
 * private image, long enough to follow the redirect.
 */
const PRESIGNED_SECONDS = 300;
const PRIVATE_PRESIGNED_SECONDS = 60;

/**
 * Delivers by nginx (X-Accel-Redirect,
 * https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ignore_headers): a copy in the filesystem
 * store whose fingerprint was just compared with the verified one.
 * @param prefix internal location of the store's directory in nginx. Begins and ends with a slash.
 */
export function makeAccelDelivery(storage: Pick<Storage, 'locate'>, prefix: string): Delivery {
  return {
    async delegate({ method, headers }, { blob }) {
      // nginx cannot check these conditions, because it does not know our ETag. It also accepts other ranges.
      if (method === 'HEAD' || CONDITIONS.some((name) => headers[name] !== undefined)) return null;
      if (headers.range !== undefined && parseRange(headers.range, blob.bytes) === null) return null;
      const key = await storage.locate(blob, 'filesystem');
      return key === null ? null : { status: 200, headers: { 'X-Accel-Redirect': `${prefix}${key}` } };
    },
  };
}

const CONDITIONS = ['if-range', 'if-match', 'if-unmodified-since'] as const;

/** Redirects to a copy that is recorded as healthy. It is not checked again. */
export function makeRedirectDelivery(addresses: CopyAddresses, storeNames: readonly string[]): Delivery {
  const to = (location: string, cacheControl: string): DelegatedResponse => ({
    status: 302,
    headers: { Location: location, 'Cache-Control': cacheControl, 'Content-Length': '0' },
  });
  return {
    async delegate({ method }, image, by) {
      const { blob } = image;
      // A presigned URL is signed for GET only.
      if (method === 'HEAD') return null;
      const healthy = storeNames.flatMap((name) =>
        blob.copies.filter(({ store, state }) => store === name && state === 'STORED'),
      );
      const cacheControl = `public, max-age=${REDIRECT_SECONDS}`;
      if (by === 'public') {
        for (const { store, key } of healthy) {
          const url = addresses.publicUrl(store, key);
          if (url !== null) return to(url, cacheControl);
        }
      }
      const seconds = by === 'public' ? PRESIGNED_SECONDS : PRIVATE_PRESIGNED_SECONDS;
      for (const { store, key } of healthy) {
        const url = await addresses.presign(store, key, {
          seconds,
          mimeType: blob.mimeType,
          disposition: dispositionOf(image),
        });
        if (url !== null) return to(url, by === 'public' ? cacheControl : 'private, no-store');
      }
      return null;
    },
  };
}
