import type { ServerResponse } from 'node:http';
import { visibleFilter } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import type { Reads } from '../database/replica.ts';
import { FixativeError, InputError } from '../errors.ts';
import { listImages, MAX_PAGE_SIZE } from '../image/list/list.ts';
import { sendError, sendJson } from './response/send.ts';

/**
 * `GET /api/images/generated?first=20&after=…&userId=…`: lists images that have bytes, newest first, without
 * GraphQL.
 */
export async function serveImageFiles(
  deps: { reads: Reads['reads']; publicUrl: () => string },
  { response, caller }: { response: ServerResponse; caller: Caller },
  query: URLSearchParams,
): Promise<void> {
  const userId = query.get('userId') || null;
  try {
    const page = await listImages(
      await deps.reads(),
      visibleFilter(caller, { status: ['success'], userId }),
      {
        first: readFirst(query),
        after: query.get('after'),
      },
    );
    const next = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    const images = page.edges
      .filter(({ node }) => node.blobId !== null)
      .map(({ node }) => ({
        filename: node.filename,
        url: deps.publicUrl() + node.storageUrl,
        size: node.bytes,
        createdAt: node.createdAt,
      }));
    sendJson(response, 200, { images, nextCursor: next });
  } catch (error) {
    if (!(error instanceof FixativeError)) throw error;
    sendError(response, error.code === 'FORBIDDEN' ? 403 : 400, { code: error.code, message: error.message });
  }
}

/**
 * Reads the page size. The list checks its range.
 * @throws InputError INVALID_INPUT: it is not a whole number.
 */
function readFirst(query: URLSearchParams): number | null {
  const name = ['first', 'limit'].find((each) => query.has(each));
  if (name === undefined) return null;
  const text = query.get(name) ?? '';
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  const shown = JSON.stringify(text.slice(0, 50));
  throw new InputError(
    'INVALID_INPUT',
    `${name} is ${shown}. Use a whole number from 0 to ${MAX_PAGE_SIZE}.`,
  );
}
