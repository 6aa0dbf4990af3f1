/**
 * Serves files by plain `node:http`, to show what Node can reach beside nginx: `/memory/{key}` from memory,
 * `/read/{key}` by readFile and one `end`. No images, no database, no checks.
 */
import { readFile } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const directory = process.env.FILES ?? '.';
const kept = new Map<string, Buffer>();
const headersOf = (content: Buffer) => [
  'Content-Type',
  'image/png',
  'Content-Length',
  String(content.length),
];

const server = createServer(({ url = '' }, response) => {
  const [, mode, ...key] = url.split('/');
  const file = path.join(directory, ...key);
  const send = (content: Buffer) => response.writeHead(200, headersOf(content)).end(content);
  const known = mode === 'memory' ? kept.get(file) : undefined;
  if (known) return send(known);
  readFile(file, (error, content) => {
    if (error) return response.writeHead(404).end();
    if (mode === 'memory') kept.set(file, content);
    send(content);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`Listening http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => {
  server.closeAllConnections();
  server.close();
});
