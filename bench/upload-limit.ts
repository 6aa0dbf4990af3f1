/**
 * The limit that uploads are held against: the same two durable writes with nothing around them. A plain `node:http` server takes the
 * very multipart request that the product takes, into memory, finds the file by its boundary, hashes it, and then at once writes it
 * into a directory (fsync, rename, fsync of the directory) and into PostgreSQL, bytes and record by one statement, uncompressed.
 * It knows no user and checks nothing: neither that the bytes are a picture, nor how many of them come.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import pg from 'pg';

const { DATABASE_URL, DATABASE_POOL_SIZE, DIRECTORY = '' } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(DATABASE_POOL_SIZE) });

await mkdir(DIRECTORY, { recursive: true });
await pool.query(`DROP SCHEMA IF EXISTS upload_limit CASCADE; CREATE SCHEMA upload_limit;
  CREATE TABLE upload_limit.objects (id bigserial PRIMARY KEY, data bytea NOT NULL);
  ALTER TABLE upload_limit.objects ALTER COLUMN data SET STORAGE EXTERNAL;
  CREATE TABLE upload_limit.images (id bigserial PRIMARY KEY, object_id bigint NOT NULL, sha256 text NOT NULL UNIQUE,
    bytes bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now())`);

const INSERT = `WITH object AS (INSERT INTO upload_limit.objects (data) VALUES ($1) RETURNING id)
  INSERT INTO upload_limit.images (object_id, sha256, bytes) SELECT id, $2, $3 FROM object`;
const READ = `SELECT data FROM upload_limit.objects o JOIN upload_limit.images i ON i.object_id = o.id WHERE i.sha256 = $1`;

const server = createServer(async (request, response) => {
  try {
    const [, store, sha256 = ''] = (request.url ?? '').split('/');
    if (request.method === 'GET') {
      const bytes =
        store === 'database'
          ? (await pool.query<{ data: Buffer }>(READ, [sha256])).rows[0]?.data
          : await readFile(fileOf(sha256));
      response.end(bytes);
      return;
    }
    const file = fileIn(await bodyOf(request), request.headers['content-type'] ?? '');
    const hash = createHash('sha256').update(file).digest('hex');
    await Promise.all([
      writeDurably(fileOf(hash), file),
      pool.query({ name: 'put', text: INSERT, values: [file, hash, file.length] }),
    ]);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ sha256: hash, bytes: file.length }));
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`);
    response.writeHead(500).end();
  }
});

function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
  });
}

/** The last part of a multipart body; the fields before it say what everybody knows. */
function fileIn(body: Buffer, contentType: string): Buffer {
  const boundary = `\r\n--${/boundary=(.+)$/.exec(contentType)?.[1]}`;
  const end = body.lastIndexOf(`${boundary}--`);
  let start = 0;
  for (let part = 0; part < 3; part++) start = body.indexOf('\r\n\r\n', start) + 4;
  return body.subarray(start, end);
}

function fileOf(sha256: string): string {
  return path.join(DIRECTORY, sha256);
}

async function writeDurably(file: string, bytes: Buffer): Promise<void> {
  const temporary = path.join(DIRECTORY, randomUUID());
  const handle = await open(temporary, 'wx');
  await handle.writeFile(bytes);
  await handle.sync();
  await handle.close();
  await rename(temporary, file);
  const directory = await open(DIRECTORY, 'r');
  await directory.sync();
  await directory.close();
}

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`Listening http://127.0.0.1:${port}/\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void pool.end();
});
