/**
 * The bytes of images and of their variants. Access is checked first (`accessOf`). To a client without
 * access, a private image answers exactly as an image that does not exist.
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
import { type LetInBy, mayHotlink, type Sharing } from './cross-origin.ts';
import type { Delivery } from './delivery.ts';
import { headersOf, originalOf, variantOf } from './image-body.ts';
import { sendFailure, sendImage } from './send-bytes.ts';

/** Settings of the delivery of bytes. */
export interface BytesSettings {
  readonly images: Pick<ImageBytesFinder, 'recall' | 'find'>;
  readonly variants: Variants;
  /** Sides, in pixels, that a variant may have without a signed URL. */
  readonly variantSizes: readonly number[];
  readonly imageAddress: ImageAddress;
  readonly sharing: Sharing;
  /** Server that sends originals; null: this one. */
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
  const asked = readBytesRequest(deps, exchange.response, query, grantOf);
  if (!asked) return;
  const image = uuid && (await deps.images.find({ uuid }));
  await serveBytes(deps, exchange, { image: image || null, name, ...asked });
}

/** `GET /generated/{filename}[?w=…]`: older form of the URL, for existing clients. It cannot be signed. */
export async function serveFilename(
  deps: BytesDeps,
  exchange: Exchange,
  { name, query }: { name: string; query: URLSearchParams },
): Promise<void> {
  const asked = readBytesRequest(deps, exchange.response, query, () => NO_GRANT);
  if (!asked) return;
  const image = /^[A-Za-z0-9._-]{1,255}$/.test(name) && (await deps.images.find({ filename: name }));
  await serveBytes(deps, exchange, { image: image || null, name, ...asked });
}

/** A request for bytes, parsed from the URL. */
interface BytesRequest {
  /** null: the original. */
  readonly transform: Transform | null;
  readonly grant: Grant;
}

/** Reads the URL. Returns null after a response with status 400, which does not depend on the image. */
function readBytesRequest(
  { variantSizes }: BytesDeps,
  response: ServerResponse,
  query: URLSearchParams,
  grantOf: (transform: string) => Grant,
): BytesRequest | null {
  try {
    const transform = parseTransform(query);
    const grant = grantOf(transform ? formatTransform(transform) : '');
    if (!transform || grant.size) return { transform, grant };
    // A signed size is not rounded.
    if (query.has('signature')) requireListed(transform, variantSizes);
    return { transform: toListed(transform, variantSizes), grant };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    sendError(response, 400, error);
    return null;
  }
}

/**
 * Returns the reason why the client may read the image; null: it may not, or there is no image. The token is
 * also checked when the image is missing. So neither errors nor timing reveal whether a private image exists.
 * @throws FixativeError IDENTITY_UNAVAILABLE
 */
async function accessOf(
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

/** Checks access and sends the bytes. @param requested.name name in the URL, for the error. */
export async function serveBytes(
  deps: BytesDeps,
  exchange: Exchange,
  { image, name, transform, grant }: BytesRequest & { image: ImageBytes | null; name: string },
): Promise<void> {
  const { request, response } = exchange;
  try {
    const by = await accessOf(deps, request, image, grant);
    if (!image || by === null) {
      const subject = JSON.stringify(name.slice(0, 100));
      sendError(response, 404, {
        code: 'NOT_FOUND',
        message: `There is no image ${subject}, or it has no bytes yet.`,
      });
    } else if (by === 'public' && !mayHotlink(deps.sharing, request.headers)) {
      sendError(
        response,
        403,
        { code: 'FORBIDDEN', message: 'Pages of this site may not show the image (HOTLINK_ALLOW).' },
        { Vary: 'Origin, Referer, Sec-Fetch-Site, Sec-Fetch-Dest' },
      );
    } else {
      const body = transform
        ? variantOf(deps, image, { transform, grant, accept: request.headers.accept })
        : originalOf(deps, image, by);
      await sendImage(deps, exchange, body, headersOf(deps.sharing, by, body));
    }
  } catch (error) {
    sendFailure(deps, exchange, error);
  }
}
