import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as undici from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GenerateImageDocument, ImageByIdDocument, ImagesDocument } from '../generated/graphql.ts';
import { makeDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { freePort, type Postgresql, startPostgresql } from '../postgresql.ts';
import { uploadForm } from '../upload.ts';
import { askServer, CRASH_TOKEN, within } from './client.ts';
import { type BreakableWay, openProxy } from './proxy.ts';
import { type ServerProcess, startServer } from './server.ts';

const settingsOf = (directory: string, url: string) => ({
  DATA_DIR: directory,
  DATABASE_URL: url,
  FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
  LOG_FORMAT: 'json',
});

/** Response to a client: status, error codes, `Retry-After` and body. */
interface Heard {
  readonly status: number;
  readonly codes: string[];
  readonly retryAfter: string | null;
  readonly body: { data?: Record<string, never>; errors?: { extensions: { code: string } }[] } | null;
}

async function hear(server: ServerProcess, address: string, init: undici.RequestInit = {}): Promise<Heard> {
  const response = await undici.fetch(`${server.url}${address}`, {
    ...init,
    headers: { authorization: `Bearer ${CRASH_TOKEN}`, ...(init.headers as Record<string, string>) },
  });
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const body = isJson ? ((await response.json()) as Heard['body']) : void (await response.arrayBuffer());
  const problem = (body as { error?: { code: string } } | null)?.error?.code;
  const codes = [
    ...(body?.errors ?? []).map(({ extensions }) => extensions.code),
    ...(problem ? [problem] : []),
  ];
  return {
    status: response.status,
    codes,
    retryAfter: response.headers.get('retry-after'),
    body: body ?? null,
  };
}

const list = (server: ServerProcess) =>
  hear(server, '/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ images(first: 3) { totalCount nodes { uuid } } }' }),
  });

let seed = 95_000;
const upload = async (server: ServerProcess) =>
  hear(server, '/graphql', {
    method: 'POST',
    body: uploadForm(
      { content: await makePicture({ seed: ++seed }) },
      {},
      'mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { uuid url } userErrors { code } } }',
    ),
  });

const imageOf = ({ body }: Heard) =>
  (body?.data as { uploadImage?: { image: { uuid: string; url: string } | null } } | undefined)?.uploadImage
    ?.image ?? null;

const linesOf = (server: ServerProcess) =>
  server
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: number; msg: string; err?: { stack?: string } });

describe.runIf(process.env.TEST_DATABASE_URL)('PostgreSQL that restarts under load', () => {
  let directory: string;
  let postgresql: Postgresql;
  let port: number;
  /** PostgreSQL's user must be let into it, and into what is around it. */
  let data: string;
  let server: ServerProcess;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-away-'));
    data = await mkdtemp(path.join(tmpdir(), 'fixative-away-postgresql-'));
    port = await freePort();
    postgresql = await startPostgresql({ directory: data, port });
    server = await startServer(settingsOf(directory, postgresql.url));
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
    await postgresql?.stop();
    await rm(data, { recursive: true, force: true });
    await rm(directory, { recursive: true, force: true });
  });

  test('gives 503 when nothing was done, cached images, and no INTERNAL; no acknowledged write is lost', async () => {
    const first = imageOf(await upload(server));
    const bytes = new URL(first?.url ?? '').pathname;
    // Until it is remembered: the server begins to hear of changes with the first look.
    for (let look = 0; look < 5; look++) {
      expect((await hear(server, bytes)).status).toBe(200);
      await sleep(200);
    }
    const heard: Record<'lists' | 'uploads' | 'bytes' | 'files', Heard[]> = {
      lists: [],
      uploads: [],
      bytes: [],
      files: [],
    };
    let stopped = false;
    const repeat = async (into: Heard[], ask: () => Promise<Heard>) => {
      while (!stopped) {
        into.push(await ask());
        await sleep(20);
      }
    };
    const load = Promise.all([
      repeat(heard.lists, () => list(server)),
      repeat(heard.lists, () => list(server)),
      repeat(heard.uploads, () => upload(server)),
      repeat(heard.uploads, () => upload(server)),
      repeat(heard.bytes, () => hear(server, bytes)),
      repeat(heard.files, () => hear(server, '/api/images/generated?first=3')),
    ]);
    await sleep(1000);
    await postgresql.stop();
    await sleep(4000);
    postgresql = await startPostgresql({ directory: data, port });
    await within(20, async () => expect((await list(server)).codes).toEqual([]));
    await sleep(1000);
    stopped = true;
    await load;

    for (const { status, codes, retryAfter } of [...heard.lists, ...heard.files]) {
      if (status === 200) expect(codes).toEqual([]);
      else
        expect({ status, codes: [...new Set(codes)], retryAfter }).toEqual({
          status: 503,
          codes: ['DATABASE_UNAVAILABLE'],
          retryAfter: '1',
        });
    }
    for (const { status, codes, retryAfter, body } of heard.uploads) {
      if (status === 503)
        expect({ codes, retryAfter }).toEqual({ codes: ['DATABASE_UNAVAILABLE'], retryAfter: '1' });
      else if (codes.length > 0) expect(codes).toEqual(['DATABASE_UNAVAILABLE']);
      else expect(body).toMatchObject({ data: { uploadImage: { userErrors: [] } } });
    }
    expect([...new Set(heard.bytes.map(({ status }) => status))]).toEqual([200]);
    const refused = [...heard.lists, ...heard.uploads, ...heard.files].filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(0);

    const acknowledged = heard.uploads.flatMap((each) => imageOf(each) ?? []);
    expect(acknowledged.length).toBeGreaterThan(0);
    for (const { url } of acknowledged) expect((await hear(server, new URL(url).pathname)).status).toBe(200);

    const lines = linesOf(server).filter(({ level }) => level >= 40);
    expect(lines.filter(({ msg }) => /cannot be reached/.test(msg))).toHaveLength(1);
    expect(lines.filter(({ msg }) => /can be reached again/.test(msg))).toHaveLength(1);
    expect(lines.filter(({ err }) => err?.stack)).toEqual([]);
    expect(lines.length).toBeLessThan(10);
  }, 180_000);
});

describe.runIf(process.env.TEST_DATABASE_URL)('PostgreSQL that vanishes silently', () => {
  let directory: string;
  let made: Awaited<ReturnType<typeof makeDatabase>>;
  let proxy: BreakableWay;
  let server: ServerProcess;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-vanished-'));
    made = await makeDatabase();
    proxy = await openProxy(new URL(made?.url ?? ''));
    server = await startServer(settingsOf(directory, proxy.url));
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
    await proxy?.close();
    await made?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  async function generates(): Promise<void> {
    const { generateImage } = await askServer(server, GenerateImageDocument, {
      input: { model: 'sample', prompt: 'a fox' },
    });
    expect(generateImage.userErrors).toEqual([]);
    const id = generateImage.images[0]?.id ?? '';
    await within(30, async () => {
      const { image } = await askServer(server, ImageByIdDocument, { id });
      expect(image?.status).toBe('SUCCESS');
    });
  }

  const ready = async () =>
    (await undici.fetch(`${server.url}/ready`)).json() as Promise<Record<string, unknown>>;

  test('is noticed, and waiting statements continue over new connections', async () => {
    await generates();
    expect(await ready()).toMatchObject({ status: 'ready', workers: true });
    proxy.silence('open');
    await within(30, () => generates());
    await within(30, async () => expect(await ready()).toMatchObject({ status: 'ready', workers: true }));
  }, 120_000);

  test('gives 503 meanwhile, and generates when it is back', async () => {
    await askServer(server, ImagesDocument, { first: 1 });
    proxy.silence('all');
    const answer = await list(server);
    expect(answer).toMatchObject({ status: 503, codes: ['DATABASE_UNAVAILABLE'] });
    expect(await ready()).toMatchObject({ status: 'not ready', database: false });
    const start = performance.now();
    expect((await list(server)).status).toBe(503);
    expect((await upload(server)).status).toBe(503);
    expect(performance.now() - start).toBeLessThan(10_000);
    await within(150, async () => expect(await ready()).toMatchObject({ workers: false }));
    proxy.mend();
    await within(60, async () => expect(await ready()).toMatchObject({ status: 'ready', workers: true }));
    await generates();
    expect(linesOf(server).filter(({ err }) => err?.stack)).toEqual([]);
  }, 300_000);

  test('does not keep a server from stopping', async () => {
    proxy.silence('all');
    const asked = list(server).catch(() => null);
    await sleep(500);
    const start = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - start).toBeLessThan(30_000);
    await asked;
    proxy.mend();
    server = await startServer(settingsOf(directory, proxy.url));
  }, 120_000);
});
