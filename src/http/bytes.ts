/**
 * The bytes of images and of their variants. Whoever asks is let in first (`letIn`), and everything after that is the same for all: a private image
 * answers to strangers what an image does that is not there, whatever they ask of it.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.ts';
import { canReadBytes } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import { type Grant, type ImageAddress, NO_GRANT } from '../auth/image-address.ts';
import { type ErrorCode, FixativeError, InputError } from '../errors.ts';
import type { ImageBytes, ImageBytesFinder } from '../image/bytes.ts';
import { isPublic, parseUuid } from '../image/image.ts';
import type { Given, Storage } from '../storage/service.ts';
import type { ByteRange } from '../storage/stores/store.ts';
import {
  formatTransform,
  MAX_VARIANT_SIDE,
  parseTransform,
  planVariant,
  requireListed,
  type Transform,
} from '../storage/variants/transform.ts';
import type { Variants } from '../storage/variants/variants.ts';
import { sendError } from './answer.ts';
import type { Delivery, Handed } from './delivery.ts';
import { parseRange } from './range.ts';
import { isAlike, type LetInBy, mayShow, type Sharing, sharingHeaders } from './sharing.ts';

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

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** How long a browser may show a private image without asking again: its leave may be taken away. */
const PRIVATE_SECONDS = 300;

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
  if (!path.startsWith(ROOM) || !isAlike(deps.sharing) || deps.delivery) return false;
  if (path.length > NAME_AT && (path[NAME_AT] !== '/' || path.includes('/', NAME_AT + 1))) return false;
  if (exchange.request.headers.range !== undefined) return false;
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

/** What goes with every public image, as a list, where they are shared with all alike. */
function alikeHeaders(sharing: Sharing): readonly string[] {
  const known = headersOfAlike.get(sharing);
  if (known) return known;
  const headers = Object.entries(headersOf(sharing, {}, 'public')).flat();
  headersOfAlike.set(sharing, headers);
  return headers;
}

/** `GET /images/{uuid}[/{any-name}][?w=&h=&fit=&format=&quality=&enlarge=][&expires=&signature=]` */
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
    if (transform && !grant.size) requireListed(transform, variantSizes);
    return { transform, grant };
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
  { headers: { authorization, cookie } }: IncomingMessage,
  image: ImageBytes | null,
  grant: Grant,
): Promise<LetInBy | null> {
  if (image && isPublic(image)) return 'public';
  if (grant.access) return image ? 'signature' : null;
  let caller: Caller | null = null;
  try {
    caller = await deps.authenticator.authenticate({ authorization, cookie });
  } catch (error) {
    if (!(error instanceof FixativeError && error.code === 'UNAUTHENTICATED')) throw error;
  }
  return image && caller && canReadBytes(caller, image) ? 'caller' : null;
}

async function serve(
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
        { Vary: 'Referer, Sec-Fetch-Site, Sec-Fetch-Dest' },
      );
    } else {
      const body = transform ? variantOf(deps, image, transform, grant) : originalOf(deps, image, by);
      await send(deps, exchange, body, headersOf(deps.sharing, request.headers, by));
    }
  } catch (error) {
    sendFailure(deps, exchange, error);
  }
}

/** @throws what is no failure of ours to foresee. */
function sendFailure({ log }: Pick<BytesDeps, 'log'>, { response }: Exchange, error: unknown): void {
  if (response.headersSent) {
    // The client hung up, or a store broke off in the middle. The length that was announced tells the client that it has a part.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE')
      log.error({ err: error }, 'broke off');
    response.destroy();
    return;
  }
  if (!(error instanceof FixativeError)) throw error;
  sendError(response, STATUS[error.code] ?? 503, error, error.retryable ? { 'Retry-After': '5' } : {});
}

/** What goes with every answer that says something of an image. */
function headersOf(sharing: Sharing, headers: IncomingHttpHeaders, by: LetInBy): Record<string, string> {
  return {
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    // A public address names bytes that never change, so whoever has them has them for good.
    'Cache-Control':
      by === 'public' ? 'public, max-age=31536000, immutable' : `private, max-age=${PRIVATE_SECONDS}`,
    ...sharingHeaders(sharing, headers, by),
  };
}

const STATUS: Partial<Record<ErrorCode, number>> = { BYTES_LOST: 404, DAMAGED_IMAGE: 422 };

/** What is to be sent. */
interface Body {
  readonly etag: string;
  readonly mimeType: string;
  readonly filename: string;
  /** Lets somebody else give it; null: nobody can. */
  hand?(request: IncomingMessage): Promise<Handed | null>;
  open(): Promise<Opened>;
}

interface Opened {
  readonly bytes: number;
  take(range?: ByteRange): Given | Promise<Given>;
  /** Called where `take` is not. */
  discard(): Promise<void>;
}

function originalOf({ delivery, storage }: BytesDeps, image: ImageBytes, by: LetInBy): Body {
  const { blob, filename } = image;
  const take = (range?: ByteRange) => storage.give(blob, range);
  return {
    etag: `"${blob.sha256}"`,
    mimeType: blob.mimeType,
    filename,
    ...(delivery && { hand: (request: IncomingMessage) => delivery.hand(request, image, by) }),
    open: async () => ({ bytes: blob.bytes, take, discard: async () => {} }),
  };
}

function variantOf(
  deps: BytesDeps,
  { blob, filename }: ImageBytes,
  transform: Transform,
  grant: Grant,
): Body {
  const maxSide = grant.size ? MAX_VARIANT_SIDE : Math.max(...deps.variantSizes);
  const plan = planVariant(blob, transform, maxSide);
  return {
    etag: deps.variants.etagOf(blob, plan),
    mimeType: `image/${plan.format}`,
    filename: `${filename.replace(/\.[^.]*$/, '')}.${plan.format === 'jpeg' ? 'jpg' : plan.format}`,
    async open() {
      const { bytes, content, stream, discard } = await deps.variants.open(blob, plan);
      const take = (range?: ByteRange): Given => {
        if (!content) return { stream: stream(range) };
        return { content: range ? content.subarray(range.start, range.end + 1) : content, done: null };
      };
      return { bytes, take, discard };
    },
  };
}

async function send(
  deps: Pick<BytesDeps, 'storage'>,
  { request, response }: Exchange,
  body: Body,
  always: Readonly<Record<string, string>>,
): Promise<void> {
  const { etag } = body;
  const headers: Record<string, string | number> = { ETag: etag, ...always };
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const opened = await body.open();
  const { bytes } = opened;
  // If-Range compares strongly; a date can never match, for we send none.
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, bytes) : null;
  if (range === 'unsatisfiable') {
    await opened.discard();
    sendError(
      response,
      416,
      { code: 'BAD_REQUEST', message: `The image has ${bytes} bytes; the range lies outside.` },
      { 'Content-Range': `bytes */${bytes}` },
    );
    return;
  }
  const handed = await body.hand?.(request);
  if (handed) {
    await opened.discard();
    const isHere = handed.status === 200;
    // Whoever gives it says himself of which ranges; and how long it may be kept only where he finds it, for nginx would say the same of its errors.
    const { 'Cache-Control': caching, ...uncached } = headers;
    const described = isHere
      ? {
          ...uncached,
          'X-Fixative-Cache-Control': caching ?? '',
          ...without(describe(body), 'Accept-Ranges'),
        }
      : without(headers, 'ETag');
    response.writeHead(handed.status, { ...described, ...handed.headers }).end();
    return;
  }
  Object.assign(headers, describe(body));
  headers['Content-Length'] = range ? range.end - range.start + 1 : bytes;
  if (range) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${bytes}`;
  const status = range ? 206 : 200;
  await sendGiven(deps, { request, response }, await opened.take(range ?? undefined), { status, headers });
}

async function sendGiven(
  deps: Pick<BytesDeps, 'storage'>,
  { request, response }: Exchange,
  given: Given,
  head: { status: number; headers: Record<string, string | number> | string[] },
): Promise<void> {
  // Who has hung up meanwhile gets nothing.
  if (response.destroyed) return drop(given);
  response.writeHead(head.status, head.headers);
  if (request.method === 'HEAD') {
    drop(given);
    response.end();
  } else if ('content' in given) sendContent(deps, response, given);
  else await pipeline(given.stream, response);
}

function without<Value>(headers: Record<string, Value>, name: string): Record<string, Value> {
  const { [name]: _, ...rest } = headers;
  return rest;
}

function describe({ mimeType, filename }: Body): Record<string, string> {
  return {
    'Accept-Ranges': 'bytes',
    'Content-Type': mimeType,
    'Content-Disposition': `inline; filename="${filename.replaceAll(/[^A-Za-z0-9._-]/g, '_')}"`,
  };
}

function drop(given: Given): void {
  if ('stream' in given) given.stream.destroy();
  else given.done?.(true);
}

/** One write. The memory is free again when the system has taken all; of a client that is gone nobody knows whether it still reads. */
function sendContent(
  { storage }: Pick<BytesDeps, 'storage'>,
  response: ServerResponse,
  { content, done }: Extract<Given, { content: Buffer }>,
): void {
  if (done) {
    let sent = false;
    response.once('finish', () => {
      sent = true;
      done(true);
    });
    response.once('close', () => {
      if (!sent) done(false);
    });
  }
  response.end(content);
  if (!done && response.writableLength > 0) response.once('close', storage.hold(content));
}

/** Weak comparison, as RFC 9110, 13.1.2 wants it of If-None-Match. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}
