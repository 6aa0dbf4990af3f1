/**
 * Hands the bytes of originals to somebody else, after everything was looked at that is looked at before we send them ourselves: who may see the image,
 * whether the asker has it already, whether the range lies within it. What is handed on, and what is proven then, docs/delivery.md says.
 * Whatever cannot be handed on is sent by us.
 */
import type { IncomingMessage } from 'node:http';
import type { ImageBytes } from '../../image/bytes.ts';
import type { Storage } from '../../storage/service.ts';
import { dispositionOf } from './content-disposition.ts';
import type { LetInBy } from './cross-origin.ts';
import { parseRange } from './range.ts';

/** An answer without a body, by which another gives the bytes. */
export interface Handed {
  readonly status: 200 | 302;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Delivery {
  /** null: nobody else can give it. */
  hand(request: IncomingMessage, image: ImageBytes, by: LetInBy): Promise<Handed | null>;
}

/** Where a copy can be had without this server. */
export interface CopyAddresses {
  /** For everybody and for good, such as at a CDN; null where there is none. */
  publicUrl(store: string, key: string): string | null;
  /** For whoever has it, for so long; null where the store can make none. */
  presign(store: string, key: string, content: PresignedAnswer): Promise<string | null>;
}

/** What a presigned address answers with. */
export interface PresignedAnswer {
  readonly seconds: number;
  readonly mimeType: string;
  /** Content-Disposition. */
  readonly disposition: string;
}

/** How long a browser goes where it was sent without asking again: after that a deletion shows. */
const REDIRECT_SECONDS = 60;
/** How long a presigned address lives: longer than somebody is sent there. Of a private image just as long as it takes to follow. */
const PRESIGNED_SECONDS = 300;
const PRIVATE_PRESIGNED_SECONDS = 60;

/**
 * To nginx, by X-Accel-Redirect (https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ignore_headers): a copy in the filesystem store
 * whose fingerprint is the one that was proven, looked at just before.
 * @param prefix where nginx has the directory of the store, as an internal location; begins and ends with a slash.
 */
export function makeAccelDelivery(storage: Pick<Storage, 'locate'>, prefix: string): Delivery {
  return {
    async hand({ method, headers }, { blob }) {
      // nginx knows no strong ETag of ours, and so could not tell whether these hold; and of ranges it takes others than we do.
      if (method === 'HEAD' || CONDITIONS.some((name) => headers[name] !== undefined)) return null;
      if (headers.range !== undefined && parseRange(headers.range, blob.bytes) === null) return null;
      const key = await storage.locate(blob, 'filesystem');
      return key === null ? null : { status: 200, headers: { 'X-Accel-Redirect': `${prefix}${key}` } };
    },
  };
}

const CONDITIONS = ['if-range', 'if-match', 'if-unmodified-since'] as const;

/** To where a copy is that is well by the record: nobody looks whether it still is. */
export function makeRedirectDelivery(addresses: CopyAddresses, storeNames: readonly string[]): Delivery {
  const to = (location: string, cacheControl: string): Handed => ({
    status: 302,
    headers: { Location: location, 'Cache-Control': cacheControl, 'Content-Length': '0' },
  });
  return {
    async hand({ method }, image, by) {
      const { blob } = image;
      // A presigned address is signed for GET.
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
