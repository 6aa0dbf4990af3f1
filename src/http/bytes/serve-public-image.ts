/**
 * The short way for the bytes of public images. Most of what is asked for is an image that is shared with all alike, whole; its head is made once, and
 * nothing is parsed, weighed or waited for that would not change the answer. The long way (bytes.ts) gives the same answer to the same question.
 */
import { NO_GRANT } from '../../auth/image-address.ts';
import type { ImageBytes } from '../../image/bytes.ts';
import { isPublic, parseUuid } from '../../image/image.ts';
import type { Exchange } from '../exchange.ts';
import { matches } from '../response/conditions.ts';
import type { Sharing } from './cross-origin.ts';
import { describe, headersOf, originalOf } from './image-body.ts';
import { sendContent, sendFailure, sendGiven } from './send-bytes.ts';
import { type BytesDeps, serve } from './serve-image.ts';

const ROOM = '/images/';
const NAME_AT = ROOM.length + '01a1fd86-32a5-704a-8823-284343d934b2'.length;

/**
 * Answers what is asked for in the plainest way: a public image, whole, or that it has not changed; at once where it is in memory. Everything else is
 * left to `serveImage`, which gives the same answer.
 * @param path without a query.
 * @returns whether it is answered.
 */
export function servePlainImage(
  deps: BytesDeps,
  exchange: Exchange,
  path: string,
): boolean | Promise<boolean> {
  if (!path.startsWith(ROOM) || deps.sharing.hotlinkAllow.length > 0 || deps.delivery) return false;
  if (path.length > NAME_AT && (path[NAME_AT] !== '/' || path.includes('/', NAME_AT + 1))) return false;
  const { headers } = exchange.request;
  if (headers.range !== undefined || headers['if-match'] !== undefined) return false;
  const uuid = path.slice(ROOM.length, NAME_AT);
  const image = deps.images.recall({ uuid });
  if (image) return sendPlainly(deps, exchange, image);
  return parseUuid(uuid) === uuid && lookUpPlainly(deps, exchange, uuid);
}

async function lookUpPlainly(deps: BytesDeps, exchange: Exchange, uuid: string): Promise<boolean> {
  const image = await deps.images.find({ uuid });
  if (image && isPublic(image)) return sendPlainly(deps, exchange, image);
  await serve(deps, exchange, { image, asked: uuid, transform: null, grant: NO_GRANT });
  return true;
}

/** @param image a public one, which is shared with all alike. */
function sendPlainly(
  deps: BytesDeps,
  { request, response }: Exchange,
  image: ImageBytes,
): true | Promise<boolean> {
  const ready = readyOf(deps, image);
  if (matches(request.headers['if-none-match'], ready.etag)) {
    response.writeHead(304, ready.unchanged).end();
    return true;
  }
  const content = deps.storage.recall(image.blob);
  if (!content) return readAndSend(deps, { request, response }, image, ready);
  response.writeHead(200, ready.whole);
  if (request.method === 'HEAD') response.end();
  else sendContent(deps, response, { content, done: null });
  return true;
}

async function readAndSend(
  deps: BytesDeps,
  exchange: Exchange,
  image: ImageBytes,
  { whole }: Ready,
): Promise<boolean> {
  try {
    await sendGiven(deps, exchange, await deps.storage.give(image.blob), { status: 200, headers: whole });
  } catch (error) {
    sendFailure(deps, exchange, error);
  }
  return true;
}

/** The heads of answers that are the same for everybody, as lists of names and values: made once for each image that is remembered. */
interface Ready {
  readonly etag: string;
  readonly unchanged: string[];
  readonly whole: string[];
}

const readyHeads = new WeakMap<ImageBytes, Ready>();

function readyOf(deps: BytesDeps, image: ImageBytes): Ready {
  const known = readyHeads.get(image);
  if (known) return known;
  const body = originalOf(deps, image, 'public');
  const unchanged = ['ETag', body.etag, ...alikeHeaders(deps.sharing)];
  const whole = [...unchanged, 'Content-Length', String(image.blob.bytes)];
  for (const [name, value] of Object.entries(describe(body))) whole.push(name, value);
  const ready = { etag: body.etag, unchanged, whole };
  readyHeads.set(image, ready);
  return ready;
}

const headersOfAlike = new WeakMap<Sharing, readonly string[]>();

/** What goes with every public image, as a list, where pages of all hosts may show them. */
function alikeHeaders(sharing: Sharing): readonly string[] {
  const known = headersOfAlike.get(sharing);
  if (known) return known;
  const headers = Object.entries(headersOf(sharing, 'public')).flat();
  headersOfAlike.set(sharing, headers);
  return headers;
}
