/**
 * The bytes of images and of their variants. Whoever asks is let in first (`letIn`), and everything after that is the same for all: a private image
 * answers to strangers what an image does that is not there, whatever they ask of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Authenticator } from '../../auth/authenticator.ts';
import { canReadBytes } from '../../auth/authorization.ts';
import type { Caller } from '../../auth/caller.ts';
import { type Grant, type ImageAddress, NO_GRANT } from '../../auth/image-address.ts';
import { FixativeError, InputError } from '../../errors.ts';
import type { ImageBytes, ImageBytesFinder } from '../../image/bytes.ts';
import { isPublic, parseUuid } from '../../image/image.ts';
import type { Storage } from '../../storage/service.ts';
import {
  formatTransform,
  parseTransform,
  requireListed,
  type Transform,
  toListed,
} from '../../storage/variants/transform.ts';
import type { Variants } from '../../storage/variants/variants.ts';
import { isOwnPage } from '../csrf.ts';
import type { Exchange } from '../exchange.ts';
import { sendError } from '../response/send.ts';
import { type LetInBy, mayShow, type Sharing } from './cross-origin.ts';
import type { Delivery } from './delivery.ts';
import { headersOf, originalOf, variantOf } from './image-body.ts';
import { send, sendFailure } from './send-bytes.ts';

/** What the server is told of how bytes are given. */
export interface BytesSettings {
  readonly images: Pick<ImageBytesFinder, 'recall' | 'find'>;
  readonly variants: Variants;
  /** In pixels: the sides that a variant may have without a signature. */
  readonly variantSizes: readonly number[];
  readonly imageAddress: ImageAddress;
  readonly sharing: Sharing;
  /** Who gives originals in our place; null: we do. */
  readonly delivery: Delivery | null;
}

export interface BytesDeps extends BytesSettings {
  readonly storage: Storage;
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly log: Logger;
}

/** `GET /images/{uuid}[/{any-name}][?w=&h=&fit=&format=&quality=&q=&enlarge=][&expires=&signature=]` */
export async function serveImage(
  deps: BytesDeps,
  exchange: Exchange,
  { name, query }: { name: string; query: URLSearchParams },
): Promise<void> {
  const uuid = parseUuid(name);
  const grantOf = (transform: string) => (uuid ? deps.imageAddress.check(uuid, query, transform) : NO_GRANT);
  const wish = readWish(deps, exchange.response, query, grantOf);
  if (!wish) return;
  const image = uuid && (await deps.images.find({ uuid }));
  await serve(deps, exchange, { image: image || null, asked: name, ...wish });
}

/** `GET /generated/{filename}[?w=…]`: the same, for clients of the older address. No signature is for it. */
export async function serveFilename(
  deps: BytesDeps,
  exchange: Exchange,
  { name, query }: { name: string; query: URLSearchParams },
): Promise<void> {
  const wish = readWish(deps, exchange.response, query, () => NO_GRANT);
  if (!wish) return;
  const image = /^[A-Za-z0-9._-]{1,255}$/.test(name) && (await deps.images.find({ filename: name }));
  await serve(deps, exchange, { image: image || null, asked: name, ...wish });
}

interface Wish {
  /** null: the original. */
  readonly transform: Transform | null;
  readonly grant: Grant;
}

/** What the address asks for, or null when it was answered that nobody is given that; whether there is an image plays no part. */
function readWish(
  { variantSizes }: BytesDeps,
  response: ServerResponse,
  query: URLSearchParams,
  grantOf: (transform: string) => Grant,
): Wish | null {
  try {
    const transform = parseTransform(query);
    const grant = grantOf(transform ? formatTransform(transform) : '');
    if (!transform || grant.size) return { transform, grant };
    // What is signed is not rounded.
    if (query.has('signature')) requireListed(transform, variantSizes);
    return { transform: toListed(transform, variantSizes), grant };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    sendError(response, 400, error);
    return null;
  }
}

/**
 * By what the asker is let in to the image; null: by nothing, or there is none. Whose token came along is found out for an image that is not there
 * as well, so that neither a failure nor the time it takes tells the two apart.
 * @throws FixativeError IDENTITY_UNAVAILABLE
 */
async function letIn(
  deps: BytesDeps,
  request: IncomingMessage,
  image: ImageBytes | null,
  grant: Grant,
): Promise<LetInBy | null> {
  if (image && isPublic(image)) return 'public';
  if (grant.access) return image ? 'signature' : null;
  const { authorization, cookie } = request.headers;
  let caller: Caller | null = null;
  try {
    caller = await deps.authenticator.authenticate({
      authorization,
      cookie: isOwnPage(request) ? cookie : undefined,
    });
  } catch (error) {
    if (!(error instanceof FixativeError && error.code === 'UNAUTHENTICATED')) throw error;
  }
  return image && caller && canReadBytes(caller, image) ? 'caller' : null;
}

/** Lets the asker in, or not, and sends what is asked for. @param asked what stands in the address. */
export async function serve(
  deps: BytesDeps,
  exchange: Exchange,
  { image, asked, transform, grant }: Wish & { image: ImageBytes | null; asked: string },
): Promise<void> {
  const { request, response } = exchange;
  try {
    const by = await letIn(deps, request, image, grant);
    if (!image || by === null) {
      const subject = JSON.stringify(asked.slice(0, 100));
      sendError(response, 404, {
        code: 'NOT_FOUND',
        message: `There is no image ${subject}, or it has no bytes yet.`,
      });
    } else if (by === 'public' && !mayShow(deps.sharing, request.headers)) {
      sendError(
        response,
        403,
        { code: 'FORBIDDEN', message: 'Pages of other sites may not show this image (HOTLINK_ALLOW).' },
        { Vary: 'Origin, Referer, Sec-Fetch-Site, Sec-Fetch-Dest' },
      );
    } else {
      const body = transform
        ? variantOf(deps, image, { transform, grant, accept: request.headers.accept })
        : originalOf(deps, image, by);
      await send(deps, exchange, body, headersOf(deps.sharing, by, body));
    }
  } catch (error) {
    sendFailure(deps, exchange, error);
  }
}
