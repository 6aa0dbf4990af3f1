/**
 * The limit of uploads: the durable writes alone. A plain `node:http` server reads the product's multipart
 * request into memory, finds the file by its boundary and hashes it. It then writes it into a directory
 * (fsync, rename, fsync of the directory) and, at the same time, into PostgreSQL, bytes and record by one
 * statement, uncompressed.
 *
 * It has no users and checks nothing, neither the format nor the size. At `/decoding` it also decodes the
 * picture, to show the cost of that alone.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import sharp from 'sharp';
import { openDurableWrites } from './durable-writes.ts';

const { DATABASE_URL, DATABASE_POOL_SIZE, DIRECTORY = '' } = process.env;
sharp.cache(false);
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(DATABASE_POOL_SIZE) });

const writes = await openDurableWrites(pool, DIRECTORY);

const THUMB = { width: 48, height: 48, fit: 'inside' } as const;

const server = createServer(async (request, response) => {
  try {
    const [, store, sha256 = ''] = (request.url ?? '').split('/');
    if (request.method === 'GET') {
      const bytes = await writes.read(store === 'database' ? 'database' : 'filesystem', sha256);
      response.end(bytes);
      return;
    }
    const file = fileIn(await bodyOf(request), request.headers['content-type'] ?? '');
    if (store === 'decoding') await sharp(file).resize(THUMB).ensureAlpha().raw().toBuffer();
    const sha256Kept = await writes.keep(file);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ sha256: sha256Kept, bytes: file.length }));
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

/** Returns the third part of a multipart body: the file, after `operations` and `map`. */
function fileIn(body: Buffer, contentType: string): Buffer {
  const boundary = `\r\n--${/boundary=(.+)$/.exec(contentType)?.[1]}`;
  const end = body.lastIndexOf(`${boundary}--`);
  let start = 0;
  for (let part = 0; part < 3; part++) start = body.indexOf('\r\n\r\n', start) + 4;
  return body.subarray(start, end);
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
