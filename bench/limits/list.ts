/**
 * The limit of lists: the cost of a page with nothing between HTTP and PostgreSQL. A plain `node:http` server
 * sends one prepared statement with exactly the selected columns, and responds by JSON.stringify.
 *
 * It takes the product's requests and responds with the same bytes, but reads only the variables: its path
 * names the document. It checks no token and no input. Its SQL, ids and cursors are written here
 * independently of the product, so that equal responses confirm both programs.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

interface Variables {
  readonly filter: {
    readonly userId?: string;
    readonly tags?: readonly string[];
    readonly status?: readonly string[];
  };
  readonly first: number;
  readonly after?: string;
}

const { DATABASE_URL, DATABASE_POOL_SIZE, PUBLIC_URL = '' } = process.env;
const INT8 = 20;
const pool = new pg.Pool({
  connectionString: DATABASE_URL,
  max: Number(DATABASE_POOL_SIZE),
  options: '-c TimeZone=UTC',
  types: {
    getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
      oid === INT8 ? Number : pg.types.getTypeParser(oid, format ?? 'text')) as typeof pg.types.getTypeParser,
  },
});

interface PageRow {
  readonly id: number;
  readonly uuid: string;
  readonly prompt: string;
  readonly tool_name: string;
  readonly status: string;
  readonly tags: string[];
  readonly created_at: Date;
  readonly storage_url: string;
  readonly blob_id: number | null;
  readonly cursorKey: string;
}

/** Sort key of a cursor, as text: a Date has no microseconds. */
const CURSOR_KEY = 'i.created_at::text AS "cursorKey"';
const PAGE_COLUMNS = `i.id, i.uuid, i.prompt, i.tool_name, i.status, i.tags, i.created_at, i.storage_url, i.blob_id, ${CURSOR_KEY}`;
const PAGE_ORDER = 'ORDER BY i.created_at DESC, i.id DESC';

const page = (where: string, limit: string) =>
  `SELECT ${PAGE_COLUMNS} FROM generated_images i WHERE ${where} ${PAGE_ORDER} LIMIT ${limit}`;
const PAGE_OF_USER = page('i.user_id = $1', '$2');
const NEXT_PAGE_OF_USER = page(
  'i.user_id = $1 AND (i.created_at, i.id) < ($2::timestamptz, $3::bigint)',
  '$4',
);
const DEEP_PAGE = page('(i.created_at, i.id) < ($1::timestamptz, $2::bigint)', '$3');
const FILTERED_PAGE_OF_USER = page('i.user_id = $1 AND $2 = ANY(i.tags) AND i.status = $3', '$4');
// Walks the list order until the page is full. The index of tags would need a sort of all images with the
// tag.
const PAGE_OF_TAG = page('$1 = ANY(i.tags) AND i.status = $2', '$3');
const COUNT_OF_USER = 'SELECT count(*) FROM generated_images i WHERE i.user_id = $1';
const CORE_OF_USER = `SELECT i.*, ${CURSOR_KEY}, c.copies FROM (
    SELECT * FROM generated_images i WHERE i.user_id = $1 ${PAGE_ORDER} LIMIT $2
  ) i LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('store', c.store, 'state', c.state, 'key', c.key, 'bytes', c.bytes, 'verifiedAt',
      to_char(c.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'error', c.error)
      ORDER BY array_position(ARRAY['filesystem', 'database'], c.store)) AS copies
    FROM copies c WHERE c.blob_id = i.blob_id
  ) c ON true ${PAGE_ORDER}`;

/** Responses by the name of the document. */
const ANSWERS: Record<string, (variables: Variables) => Promise<unknown>> = {
  async imagePage({ filter, first, after }) {
    if (after !== undefined) {
      const { time, id } = parseCursor(after);
      const rows = await queryRows<PageRow>('next', NEXT_PAGE_OF_USER, [filter.userId, time, id, first + 1]);
      return connection(rows, first, nodeOf);
    }
    return connection(
      await queryRows<PageRow>('page', PAGE_OF_USER, [filter.userId, first + 1]),
      first,
      nodeOf,
    );
  },
  async imagePageDeep({ first, after = '' }) {
    const { time, id } = parseCursor(after);
    return connection(await queryRows<PageRow>('deep', DEEP_PAGE, [time, id, first + 1]), first, nodeOf);
  },
  async imagePageFiltered({ filter, first }) {
    const status = filter.status?.[0]?.toLowerCase();
    const values = [filter.userId, filter.tags?.[0], status, first + 1];
    return connection(await queryRows<PageRow>('filtered', FILTERED_PAGE_OF_USER, values), first, nodeOf);
  },
  async imagePageOfTag({ filter, first }) {
    const values = [filter.tags?.[0], filter.status?.[0]?.toLowerCase(), first + 1];
    return connection(await queryRows<PageRow>('tag', PAGE_OF_TAG, values), first, nodeOf);
  },
  async imageCount({ filter }) {
    const [row] = await queryRows<{ count: number }>('count', COUNT_OF_USER, [filter.userId]);
    return { totalCount: row?.count };
  },
  async imageCore({ filter, first }) {
    return connection(
      await queryRows<CoreRow>('core', CORE_OF_USER, [filter.userId, first + 1]),
      first,
      coreNodeOf,
    );
  },
};

async function queryRows<Row>(name: string, text: string, values: readonly unknown[]): Promise<Row[]> {
  return (await pool.query({ name, text, values: values as unknown[] })).rows as Row[];
}

function connection<Row extends { id: number; cursorKey: string }>(
  rows: Row[],
  first: number,
  toNode: (row: Row) => unknown,
) {
  const hasNextPage = rows.length > first;
  if (hasNextPage) rows.pop();
  const last = rows.at(-1);
  const endCursor = last ? Buffer.from(`createdAt:${last.cursorKey}:${last.id}`).toString('base64url') : null;
  return { edges: rows.map((row) => ({ node: toNode(row) })), pageInfo: { hasNextPage, endCursor } };
}

function nodeOf(row: PageRow) {
  return {
    id: btoa(`Image:${row.uuid}`),
    prompt: row.prompt,
    tool: row.tool_name,
    status: row.status.toUpperCase(),
    tags: row.tags,
    createdAt: row.created_at,
    url: row.blob_id !== null && row.status === 'success' ? PUBLIC_URL + row.storage_url : null,
  };
}

interface CoreRow extends PageRow {
  readonly origin: string;
  readonly error: string | null;
  readonly error_code: string | null;
  readonly error_retryable: boolean | null;
  readonly user_id: string;
  readonly username: string | null;
  readonly revised_prompt: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly size: string | null;
  readonly quality: string | null;
  readonly style: string | null;
  readonly n: number | null;
  readonly request_id: string | null;
  readonly message_id: string | null;
  readonly metadata: unknown;
  readonly filename: string | null;
  readonly mime_type: string | null;
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly thumbhash: string | null;
  readonly original_url: string | null;
  readonly storage_provider: string | null;
  readonly copies: unknown[] | null;
}

function coreNodeOf(row: CoreRow) {
  const { id, prompt, tool, status, tags, createdAt, url } = nodeOf(row);
  return {
    id,
    databaseId: row.id,
    origin: row.origin.toUpperCase(),
    status,
    error:
      row.status === 'failed'
        ? { code: row.error_code, message: row.error, retryable: row.error_retryable }
        : null,
    userId: row.user_id,
    username: row.username,
    tool,
    prompt,
    revisedPrompt: row.revised_prompt,
    provider: row.provider,
    model: row.model,
    size: row.size,
    quality: row.quality,
    style: row.style,
    n: row.n,
    requestId: row.request_id,
    messageId: row.message_id,
    tags,
    metadata: row.metadata,
    filename: row.filename,
    mimeType: row.mime_type,
    bytes: row.bytes,
    sha256: row.sha256,
    width: row.width,
    height: row.height,
    thumbhash: row.thumbhash,
    url,
    originalUrl: row.original_url,
    storageProvider: row.storage_provider,
    createdAt,
    copies: row.copies ?? [],
  };
}

function parseCursor(cursor: string): { time: string; id: string } {
  const [, time = '', id = ''] =
    /^createdAt:(.*):(\d+)$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  return { time, id };
}

function handle(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    answer(request.url ?? '', Buffer.concat(chunks).toString()).then(
      (text) => {
        response.writeHead(200, {
          'Content-Type': 'application/json; charset=utf-8',
          'Content-Length': Buffer.byteLength(text),
        });
        response.end(text);
      },
      (error: Error) => {
        response.writeHead(500).end(`${error.stack}\n`);
      },
    );
  });
}

async function answer(address: string, body: string): Promise<string> {
  const { variables } = JSON.parse(body) as { variables: Variables };
  const images = await ANSWERS[address.slice(1)]?.(variables);
  return JSON.stringify({ data: { images } });
}

const server = createServer(handle).listen(0, '127.0.0.1', () => {
  process.stdout.write(`Listening http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0)).on('SIGINT', () => process.exit(0));
