/** Events of webhooks over the end of a server, and with two servers. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CreateWebhookDocument } from '../generated/graphql.ts';
import { makeDatabase, type TestDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';
import { openReceiver, type Receiver } from '../webhook/receiver.ts';
import { askServer, CRASH_TOKEN, within } from './client.ts';
import { type ServerProcess, startServer } from './server.ts';

const RECEIVER = fileURLToPath(new URL('../../examples/webhook-receiver/receiver.js', import.meta.url));

describe('webhooks', () => {
  let directory: string;
  let database: TestDatabase | null;
  let receiver: Receiver;
  const servers: ServerProcess[] = [];
  let seed = 0;

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-webhooks-'));
    database = await makeDatabase();
    receiver = await openReceiver();
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.kill();
    await receiver.close();
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  const environmentOf = (name: string) => ({
    DATA_DIR: path.join(directory, name),
    FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
    SIGNING_KEYS: 'a-signing-key-0123456789',
    STORES: 'database',
    LOG_LEVEL: 'error',
    WEBHOOK_ALLOW_PRIVATE: '127.0.0.1',
    WEBHOOK_TIMEOUT_SECONDS: '1',
    ...(database ? { DATABASE_URL: database.url } : {}),
  });
  async function start(name: string, args: readonly string[] = ['serve']) {
    const server = await startServer(environmentOf(name), args);
    servers.push(server);
    return server;
  }
  async function subscribe(server: ServerProcess, url = receiver.url) {
    const { createWebhook } = await askServer(server, CreateWebhookDocument, {
      input: { url, eventTypes: ['IMAGE_SUCCEEDED'] },
    });
    return createWebhook?.secret ?? '';
  }
  async function uploadTo(server: ServerProcess): Promise<void> {
    const body = uploadForm({ content: await makePicture({ seed: ++seed }) });
    const headers = { authorization: `Bearer ${CRASH_TOKEN}` };
    const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body });
    expect(await response.json()).toMatchObject({ data: { uploadImage: { userErrors: [] } } });
  }

  test('an event is delivered after a kill before its dispatch, and after a kill in an attempt', async () => {
    const idle = await start('a', ['serve', '--no-workers']);
    receiver.secret = await subscribe(idle);
    await uploadTo(idle);
    await idle.kill();
    expect(receiver.received).toEqual([]);

    // The answer to the first attempt never comes.
    receiver.reply = (count) => ({
      status: 200,
      ...(count === 0 ? { wait: new Promise<void>(() => {}) } : {}),
    });
    const killed = await start('a');
    await within(40, async () => expect(receiver.received).toHaveLength(1));
    await killed.kill();

    await start('a');
    await within(60, async () => expect(receiver.received).toHaveLength(2));
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  }, 180_000);

  test('two servers deliver each event once', async (context) => {
    if (!database) return context.skip();
    const [first, second] = [await start('a'), await start('b')];
    receiver.secret = await subscribe(first);
    for (let i = 0; i < 20; i++) await uploadTo(i % 2 === 0 ? first : second);
    await within(40, async () => expect(receiver.received).toHaveLength(20));
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(20);
  }, 180_000);

  test('the receiver of the documentation verifies events of the real server', async () => {
    const server = await start('a');
    await receiver.close();
    const url = `http://127.0.0.1:${receiver.port}/`;
    const secret = await subscribe(server, url);
    const environment = { PATH: process.env.PATH, WEBHOOK_SECRET: secret, PORT: String(receiver.port) };
    const child = spawn(process.execPath, [RECEIVER], { env: environment });
    try {
      let out = '';
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      await within(40, async () => expect(out).toContain('ready'));
      const forged = { 'webhook-id': 'x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,x' };
      expect((await fetch(url, { method: 'POST', body: '{}', headers: forged })).status).toBe(401);
      await uploadTo(server);
      await within(40, async () => expect(out).toContain('image.succeeded'));
    } finally {
      child.kill();
    }
  }, 180_000);
});
