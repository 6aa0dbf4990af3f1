/**
 * An endpoint of OpenAI's Images API that responds at once, each time with a new picture. Isolates the cost
 * of a generation in the server.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makePaintings } from '../pictures.ts';

const { picture } = await makePaintings();
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ created: 0, data: [{ b64_json: picture().toString('base64') }] }));
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`Listening http://127.0.0.1:${port}/\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
