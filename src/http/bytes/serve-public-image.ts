/**
 * Fast path for the bytes of public images, whole, which most requests ask for. The head of the response is
 * made once for each image, and nothing is parsed or awaited that would not change it. serve-image.ts gives
 * the same response.
 */
import { NO_GRANT } from '../../auth/image-address.ts';
import type { ImageBytes } from '../../image/bytes.ts';
import { isPublic, parseUuid } from '../../image/image.ts';
import type { Exchange } from '../exchange.ts';
import { matches } from '../response/conditions.ts';
import type { Sharing } from './cross-origin.ts';
import { contentHeadersOf, headersOf, originalOf } from './image-body.ts';
import { sendBytes, sendContent, sendFailure } from './send-bytes.ts';
import { type BytesDeps, serveBytes } from './serve-image.ts';

const PREFIX = '/images/';
const NAME_AT = PREFIX.length + '01a1fd86-32a5-704a-8823-284343d934b2'.length;

/**
 * Fast path: a full GET or 304 of a public image, synchronous when its bytes are cached. Returns false when
 * `serveImage` must handle the request. A promise resolves to true.
 * @param path path of a request without a query string.
 */
export function servePlainImage(deps: BytesDeps, exchange: Exchange, path: string): boolean | Promise<true> {
  if (!path.startsWith(PREFIX) || deps.sharing.hotlinkAllow.length > 0 || deps.delivery) return false;
  if (path.length > NAME_AT && (path[NAME_AT] !== '/' || path.includes('/', NAME_AT + 1))) return false;
  const { headers } = exchange.request;
  if (headers.range !== undefined || headers['if-match'] !== undefined) return false;
  const uuid = path.slice(PREFIX.length, NAME_AT);
  const image = deps.images.recall({ uuid });
  if (image) return sendPublicImage(deps, exchange, image);
  return parseUuid(uuid) === uuid && findAndSend(deps, exchange, uuid);
}

async function findAndSend(deps: BytesDeps, exchange: Exchange, uuid: string): Promise<true> {
  const image = await deps.images.find({ uuid });
  if (image && isPublic(image)) return sendPublicImage(deps, exchange, image);
  await serveBytes(deps, exchange, { image, name: uuid, transform: null, grant: NO_GRANT });
  return true;
}

/** Sends a public image whole, or 304. */
function sendPublicImage(
  deps: BytesDeps,
  { request, response }: Exchange,
  image: ImageBytes,
): true | Promise<true> {
  const heads = headsOf(deps, image);
  if (matches(request.headers['if-none-match'], heads.etag)) {
    response.writeHead(304, heads.unchanged).end();
    return true;
  }
  const content = deps.storage.serveFromMemory(image.blob);
  if (!content) return readAndSend(deps, { request, response }, image, heads);
  response.writeHead(200, heads.whole);
  if (request.method === 'HEAD') response.end();
  else sendContent(deps, response, { content, done: null });
  return true;
}

async function readAndSend(
  deps: BytesDeps,
  exchange: Exchange,
  image: ImageBytes,
  { whole }: ResponseHeads,
): Promise<true> {
  try {
    await sendBytes(deps, exchange, await deps.storage.serve(image.blob), { status: 200, headers: whole });
  } catch (error) {
    sendFailure(deps, exchange, error);
  }
  return true;
}

/** Heads of the responses of an image, as lists of names and values. Made once for each cached image. */
interface ResponseHeads {
  readonly etag: string;
  /** Head of a 304 response. */
  readonly unchanged: string[];
  /** Head of a 200 response. */
  readonly whole: string[];
}

const cachedHeads = new WeakMap<ImageBytes, ResponseHeads>();

function headsOf(deps: BytesDeps, image: ImageBytes): ResponseHeads {
  const known = cachedHeads.get(image);
  if (known) return known;
  const body = originalOf(deps, image, 'public');
  const unchanged = ['ETag', body.etag, ...publicHeaders(deps.sharing)];
  const whole = [...unchanged, 'Content-Length', String(image.blob.bytes)];
  for (const [name, value] of Object.entries(contentHeadersOf(body))) whole.push(name, value);
  const heads = { etag: body.etag, unchanged, whole };
  cachedHeads.set(image, heads);
  return heads;
}

const cachedPublicHeaders = new WeakMap<Sharing, readonly string[]>();

/** Returns the headers of every public image, as a list. Pages of all hosts may show them here. */
function publicHeaders(sharing: Sharing): readonly string[] {
  const known = cachedPublicHeaders.get(sharing);
  if (known) return known;
  const headers = Object.entries(headersOf(sharing, 'public')).flat();
  cachedPublicHeaders.set(sharing, headers);
  return headers;
}
