import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { type Chance, COMPARE_SECONDS, compareForSeconds, makeChance } from './chance.ts';

/**
 * The fast path for bytes and the general path respond alike. An address with an empty query is the same
 * address, but only the general path handles it. So every request is sent to both, with the image cached and
 * not cached.
 */
const seconds = Math.min(COMPARE_SECONDS, 60);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

describe.each([
  ['shared with all alike', {}],
  ['shared with the scripts of all', { CORS_ORIGINS: '*' }],
  ['shared with the scripts of a few', { CORS_ORIGINS: 'https://app.example.com' }],
  ['not kept in memory', { BYTES_CACHE_BYTES: 'off', IMAGE_CACHE_ENTRIES: '0' }],
])('bytes that are %s', (_name, settings) => {
  let app: TestApp;
  let images: { uuid: string; sha256: string; filename: string; bytes: number }[];
  beforeAll(async () => {
    app = await openTestApp({ ...settings, RATE_LIMIT_PER_ADDRESS: 'off' });
    images = [];
    for (const [index, visibility] of ['PUBLIC', 'PUBLIC', 'PUBLIC', 'PRIVATE', 'PUBLIC'].entries()) {
      const size = index === 1 ? 900 : 40;
      const { image } = await upload(
        app,
        { content: await makePicture({ seed: 68_000 + index, width: size, height: size }) },
        { visibility },
      );
      const uuid = image?.url?.split('/')[4] ?? '';
      images.push({
        uuid,
        sha256: image?.sha256 ?? '',
        filename: image?.filename ?? '',
        bytes: image?.bytes ?? 0,
      });
    }
    await app.database.query('UPDATE generated_images SET deleted_at = now() WHERE uuid = $1', [
      images[4]?.uuid,
    ]);
  });
  afterAll(() => app.close());

  function send(method: string, path: string, headers: Record<string, string>): Promise<Answer> {
    const { hostname, port } = new URL(app.url);
    return new Promise((resolve, reject) => {
      const outgoing = request({ hostname, port, method, path, headers, agent: false }, (response) => {
        const hash = createHash('sha256');
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          hash.update(chunk);
        });
        response.on('end', () => {
          const { date: _date, ...others } = response.headers;
          resolve({
            status: response.statusCode ?? 0,
            headers: others,
            body: `${length} ${hash.digest('hex')}`,
          });
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  function makeRequest(chance: Chance) {
    const image = chance.oneOf(images);
    const uuid = chance.of(0.8)
      ? image.uuid
      : chance.oneOf([
          image.uuid.toUpperCase(),
          image.uuid.replace(/.$/, 'x'),
          '01a1fd86-32a5-704a-8823-284343d934b2',
        ]);
    const tail = chance.of(0.8)
      ? chance.oneOf(['', `/${image.filename}`])
      : chance.oneOf(['/', '/any%20name.png', '/a/b', '/%', '//']);
    const etag = `"${image.sha256}"`;
    const other = `"${'0'.repeat(64)}"`;
    const some = <Value>(share: number, name: string, values: readonly Value[]) =>
      chance.of(share) ? { [name]: String(chance.oneOf(values)) } : {};
    const edge = () =>
      chance.oneOf([0, 1, image.bytes - 1, image.bytes, image.bytes + 1, chance.below(image.bytes)]);
    const range = chance.oneOf([
      `bytes=${edge()}-${edge()}`,
      `bytes=${edge()}-`,
      `bytes=-${edge()}`,
      'bytes=',
      'bytes=a-b',
      'items=0-1',
      'bytes=0-0,2-3',
      ' Bytes = 0 - 3 ',
      'bytes=99999999999999999999-',
    ]);
    const dates = [
      'Sat, 21 Nov 2026 09:35:00 GMT',
      'Mon, 01 Jan 1990 00:00:00 GMT',
      'Fri, 01 Jan 2100 00:00:00 GMT',
      'soon',
    ];
    return {
      method: chance.oneOf(['GET', 'GET', 'GET', 'HEAD']),
      path: `/images/${uuid}${tail}`,
      headers: {
        ...some(0.3, 'range', [range]),
        ...some(0.3, 'if-none-match', [
          etag,
          other,
          `W/${etag}`,
          '*',
          `${other}, ${etag}`,
          '',
          'nope',
          `${etag}x`,
        ]),
        ...some(0.15, 'if-range', [etag, other, `W/${etag}`, ...dates]),
        ...some(0.15, 'if-match', [etag, other, `W/${etag}`, '*', `${other}, ${etag}`, 'nope', '']),
        ...some(0.1, 'if-modified-since', dates),
        ...some(0.1, 'if-unmodified-since', dates),
        ...some(0.2, 'authorization', [`Bearer ${ROOT_TOKEN}`, 'Bearer nobody', 'Basic eA==', '']),
        ...some(0.1, 'origin', ['https://other.test', 'https://app.example.com', 'null']),
        ...some(0.1, 'referer', ['https://other.test/page']),
        ...some(0.1, 'accept', ['image/webp', 'text/html', '*/*']),
        ...some(0.05, 'cookie', ['fixative_session=x']),
        ...some(0.05, 'accept-encoding', ['gzip, br']),
      },
    };
  }

  test('are answered alike by both paths', { timeout: (seconds + 60) * 1000 }, async () => {
    const statuses = new Map<number, number>();
    const seeds = await compareForSeconds(async (seed) => {
      const chance = makeChance(seed);
      const { method, path, headers } = makeRequest(chance);
      // Decides at random whether the image and its bytes are cached in this request.
      if (chance.of(0.3)) app.services.imageBytes.forget(null);
      const fast = await send(method, path, headers);
      const again = await send(method, path, headers);
      const general = await send(method, `${path}?`, headers);
      const about = `COMPARE_SEED=${seed} ${method} ${path} ${JSON.stringify(headers)}`;
      expect(fast, about).toEqual(general);
      expect(again, about).toEqual(general);
      statuses.set(fast.status, (statuses.get(fast.status) ?? 0) + 1);
    }, seconds);
    process.stdout.write(`bytes: ${seeds} requests, ${JSON.stringify(Object.fromEntries(statuses))}\n`);
    for (const status of [200, 206, 304, 404])
      expect(statuses.get(status) ?? 0, String(status)).toBeGreaterThan(0);
  });
});
