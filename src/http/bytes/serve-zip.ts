import { visibleTo } from '../../auth/authorization.ts';
import type { Caller } from '../../auth/caller.ts';
import { FixativeError, InputError } from '../../errors.ts';
import { encodeImageId, parseImageId } from '../../graphql/image/image-id.ts';
import { findImages } from '../../image/image.ts';
import { readForm } from '../body/form.ts';
import { faultOfEncoding } from '../body/request-body.ts';
import type { Exchange } from '../exchange.ts';
import { sendProblem } from '../response/problem.ts';
import { sendFailure } from './send-bytes.ts';
import { type ArchivedImage, archivedOf, sendArchive, type ZipDeps } from './zip-archive.ts';

const MAX_IMAGES = 1000;
/** Rows that are read at once. */
const PAGE = 100;
/** An id has 68 characters in a form, or fewer. */
const MAX_FORM_BYTES = 256 * 1024;
/** Most ids that an error names. */
const MAX_NAMED = 20;

/**
 * `GET /api/images/zip?ids=…`, `POST /api/images/zip` with a form: sends images as one archive. Before the
 * first byte it checks that all of them exist and that the caller may see them.
 */
export async function serveZip(
  deps: ZipDeps,
  exchange: Exchange,
  { caller, search }: { caller: Caller; search: string },
): Promise<void> {
  const ids = await readIds(exchange, search);
  if (!ids) return;
  let images: readonly ArchivedImage[];
  try {
    images = await findAll(deps, ids, caller);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return sendProblem(exchange, error.code === 'NOT_FOUND' ? 404 : 400, error);
  }
  const day = new Date().toISOString().slice(0, 10);
  exchange.response.writeHead(200, {
    'Content-Type': 'application/zip',
    'Content-Disposition': `attachment; filename="fixative-${day}.zip"`,
    'Cache-Control': 'no-store',
    Vary: 'Origin',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  });
  try {
    await sendArchive(deps, exchange, images, ({ uuid }) => encodeImageId(uuid));
  } catch (error) {
    sendFailure(deps, exchange, error);
  }
}

/** Returns the ids of the request, each once; null after a response with an error. */
async function readIds(exchange: Exchange, search: string): Promise<string[] | null> {
  const { request } = exchange;
  if (request.method !== 'POST') return idsOf(new URLSearchParams(search));
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  const fault =
    type === 'application/x-www-form-urlencoded'
      ? faultOfEncoding(request)
      : 'Send the ids as a form: application/x-www-form-urlencoded.';
  if (fault !== null) {
    sendProblem(exchange, 415, { code: 'UNSUPPORTED_TYPE', message: fault });
    return null;
  }
  const form = await readForm(exchange, MAX_FORM_BYTES);
  if (form) return idsOf(form);
  const message = `The form is larger than ${MAX_FORM_BYTES} bytes, or it did not arrive.`;
  sendProblem(exchange, 413, { code: 'TOO_LARGE', message });
  return null;
}

function idsOf(parameters: URLSearchParams): string[] {
  const ids = parameters.getAll('ids').flatMap((text) => text.split(','));
  return [...new Set(ids.map((id) => id.trim()).filter((id) => id !== ''))];
}

/**
 * Finds all images, in the order of the ids.
 * @throws InputError INVALID_INPUT, INVALID_ID, NOT_FOUND
 */
async function findAll(
  { database }: Pick<ZipDeps, 'database'>,
  ids: readonly string[],
  caller: Caller,
): Promise<ArchivedImage[]> {
  if (ids.length === 0 || ids.length > MAX_IMAGES) {
    const message = `The request names ${ids.length} images. Send 1 to ${MAX_IMAGES} as \`ids\`.`;
    throw new InputError('INVALID_INPUT', message);
  }
  const uuids = ids.map(uuidOf);
  const wrong = ids.filter((_, place) => uuids[place] === null);
  if (wrong.length > 0) {
    const message = `Not ids of images: ${named(wrong)}. Use \`Image.id\` or \`Image.uuid\`.`;
    throw new InputError('INVALID_ID', message);
  }
  const unique = [...new Set(uuids.filter((uuid) => uuid !== null))];
  const images: ArchivedImage[] = [];
  for (let i = 0; i < unique.length; i += PAGE) {
    const found = await findImages(database, unique.slice(i, i + PAGE), visibleTo(caller));
    images.push(...found.filter((image) => image !== null).map(archivedOf));
  }
  if (images.length === unique.length) return images;
  const missing = ids.filter((_, place) => !images.some(({ uuid }) => uuid === uuids[place]));
  throw new InputError('NOT_FOUND', `There are no images ${named(missing)}.`);
}

function uuidOf(id: string): string | null {
  try {
    return parseImageId(id);
  } catch (error) {
    if (error instanceof FixativeError) return null;
    throw error;
  }
}

function named(ids: readonly string[]): string {
  const shown = ids.slice(0, MAX_NAMED).map((id) => JSON.stringify(id.slice(0, 100)));
  const more = ids.length > MAX_NAMED ? ` and ${ids.length - MAX_NAMED} more` : '';
  return `${shown.join(', ')}${more}`;
}
