/**
 * The limit of a start: the least that a server needs to respond from the same kind of database. It opens the
 * directory (DIRECTORY) or connects (DATABASE_URL), sends one statement, listens and prints its address. No
 * tables, GraphQL or queue.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const { DATABASE_URL, DIRECTORY } = process.env;
const database = DATABASE_URL
  ? await connectPostgresql(DATABASE_URL)
  : await openEmbedded(DIRECTORY as string);
await database.query('SELECT 1');
const server = createServer((_, response) => response.end('here'));
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`Listening http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => server.close(() => void database.close()));

async function connectPostgresql(url: string) {
  const { default: pg } = await import('pg');
  const client = new pg.Client(url);
  await client.connect();
  return { query: (text: string) => client.query(text), close: () => client.end() };
}

async function openEmbedded(directory: string) {
  const { PGlite } = await import('@electric-sql/pglite');
  return PGlite.create(directory);
}
