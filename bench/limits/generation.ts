/**
 * The limit of generations. One process sends a job to pg-boss, works it, calls the provider, makes the
 * durable writes (durable-writes.ts) and responds. It records nothing before it is done, so a crash loses a
 * picture that was paid for. The queue has the product's settings.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { fetch } from 'undici';
import { openDurableWrites } from './durable-writes.ts';

const { DATABASE_URL = '', DATABASE_POOL_SIZE, DIRECTORY = '', PROVIDER_URL = '', PLACES } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(DATABASE_POOL_SIZE) });
const writes = await openDurableWrites(pool, DIRECTORY);
const boss: PgBoss = new PgBoss({
  connectionString: DATABASE_URL,
  max: Number(DATABASE_POOL_SIZE),
  schema: 'bench_limit_queue',
  useListenNotify: true,
  schedule: false,
});
boss.on('error', (error) => process.stderr.write(`${error.stack}\n`));
await boss.start();
await boss.createQueue('generate', { notify: true });

const waiting = new Map<string, PromiseWithResolvers<{ sha256: string; bytes: number }>>();
for (let place = 0; place < Number(PLACES); place++) {
  let worker = '';
  worker = await boss.work<{ prompt: string; key: string }>(
    'generate',
    { notifyPollingIntervalSeconds: 2 },
    async ([job]) => {
      if (!job) return;
      const response = await fetch(PROVIDER_URL, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: job.data.prompt }),
      });
      const { data } = (await response.json()) as { data: [{ b64_json: string }] };
      const bytes = Buffer.from(data[0].b64_json, 'base64');
      waiting.get(job.data.key)?.resolve({ sha256: await writes.keep(bytes), bytes: bytes.length });
      boss.notifyWorker(worker);
    },
  );
}

let count = 0;
const server = createServer(async (request, response) => {
  try {
    const [, from, sha256 = ''] = (request.url ?? '').split('/');
    if (request.method === 'GET') {
      response.end(await writes.read(from === 'database' ? 'database' : 'filesystem', sha256));
      return;
    }
    const { prompt } = JSON.parse(await text(request)) as { prompt: string };
    const key = String(count++);
    const done = Promise.withResolvers<{ sha256: string; bytes: number }>();
    waiting.set(key, done);
    await boss.send('generate', { prompt, key });
    const kept = await done.promise;
    waiting.delete(key);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(kept));
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`);
    response.writeHead(500).end();
  }
});

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`Listening http://127.0.0.1:${port}/\n`);
});
process.once('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await boss.stop({ graceful: true, timeout: 2000 });
  await pool.end();
});
