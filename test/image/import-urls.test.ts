import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runImportUrls } from '../../src/command/import/import-urls.ts';
import { FixativeError } from '../../src/errors.ts';
import { parseAddressList } from '../../src/image/import/import-urls.ts';
import { type Listener, listen } from '../fetch/fetching.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';

const read = (text: string) => parseAddressList(text, { userId: 'root' });

describe('a list of addresses', () => {
  test('is lines', () => {
    expect(read('\uFEFFhttps://a.test/1,2.png\r\n\n# not this\n  https://a.test/2 \n')).toMatchObject([
      { line: 1, url: 'https://a.test/1,2.png', image: { userId: 'root', toolName: 'import' } },
      { line: 4, url: 'https://a.test/2' },
    ]);
  });

  test('is CSV, when its head names the column url', () => {
    const csv = `URL,Prompt,user_id,tags,createdAt,metadata,tool,model,filename
"https://a.test/1?a=1,2","a ""red"" fox, running",u1,fox; red ;,2024-05-06T07:08:09Z,"{""seed"":1}",avatar,dall-e-3,fox.png
https://a.test/2,,,,,,,,
https://a.test/3,,,,yesterday,,,,
https://a.test/4,,${'u'.repeat(256)},,,,,,
`;
    const [first, second, third, fourth] = read(csv);
    expect(first).toMatchObject({
      line: 2,
      url: 'https://a.test/1?a=1,2',
      image: {
        prompt: 'a "red" fox, running',
        userId: 'u1',
        tags: ['fox', 'red'],
        createdAt: new Date('2024-05-06T07:08:09Z'),
        metadata: { seed: 1 },
        toolName: 'avatar',
        model: 'dall-e-3',
        filename: 'fox.png',
      },
    });
    expect(second?.image).toMatchObject({ prompt: '', userId: 'root', tags: [], filename: null });
    for (const each of [third, fourth]) expect(each?.image).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is refused with a column that nobody knows, or when it is no CSV', () => {
    expect(() => read('url,colour\nhttps://a.test/,red')).toThrow(/column "colour" is unknown/);
    expect(() => read('url,prompt\n"https://a.test/')).toThrow(FixativeError);
  });
});

describe('import urls', () => {
  let app: TestApp;
  let source: Listener;
  const asked: string[] = [];
  beforeAll(async () => {
    source = await listen(async (request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://a');
      asked.push(pathname);
      const seed = Number(/^\/(\d+)\.png$/.exec(pathname)?.[1] ?? 0);
      if (seed > 0) response.end(await makePicture({ seed, width: 16, height: 16 }));
      else if (pathname === '/page') response.end('<!doctype html><p>no');
      else response.writeHead(403).end();
    });
    app = await openTestApp({ ALLOW_PRIVATE_SOURCES: '127.0.0.1' });
  });
  afterAll(async () => {
    await app.close();
    await source.close();
  });

  const run = async (text: string, options: { dryRun?: boolean; json?: boolean } = {}) => {
    const file = path.join(app.directory, 'list');
    await writeFile(file, text);
    let out = '';
    const write = (more: string) => {
      out += more;
    };
    const terminal = { out: write, note: () => {}, interactive: false };
    const command = { file, user: 'u', concurrency: 1, dryRun: false, json: false, ...options };
    return { code: await runImportUrls(app.services, command, terminal), out };
  };
  const images = () => app.database.prisma.image.findMany({ orderBy: { id: 'asc' } });
  const lines = (out: string) =>
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  test('fetches the soonest to expire first, adds nothing twice, and says what it refused', async () => {
    const base = `http://127.0.0.1:${source.port}`;
    const list = [
      `${base}/1.png`,
      `${base}/2.png?se=2099-01-01&sig=secret`,
      `${base}/3.png?se=2098-01-01&sig=secret`,
      `${base}/gone?se=2020-01-01&sig=secret`,
      `${base}/page`,
      'http://10.0.0.1/inside.png',
      `${base}/1.png`,
    ].join('\n');
    const plan = await run(list, { dryRun: true });
    expect([plan.code, asked, await images()]).toEqual([0, [], []]);
    expect(plan.out).toMatch(/^would fetch {2}line 3: .*3\.png, expires 2098-01-01T00:00:00.000Z\n/);
    expect(plan.out).toContain('6 would be fetched');

    const first = await run(list);
    expect(first.code).toBe(3);
    expect(asked).toEqual(['/3.png', '/2.png', '/1.png', '/page', '/gone']);
    expect(first.out).toContain('3 imported, 3 refused');
    expect(first.out).toMatch(/line 4: .*\/gone +SOURCE_EXPIRED/);
    expect(first.out).toMatch(/line 5: .*\/page +UNSUPPORTED_TYPE/);
    expect(first.out).toMatch(/line 6: .*SOURCE_FORBIDDEN/);
    expect(first.out).not.toContain('secret');
    expect((await images()).map(({ userId, origin }) => [userId, origin])).toEqual(
      Array(3).fill(['u', 'imported']),
    );

    asked.length = 0;
    const second = await run(list, { json: true });
    expect(asked.sort()).toEqual(['/gone', '/page']);
    expect(lines(second.out).at(-1)).toEqual({
      ...{ type: 'summary', dryRun: false, known: 3, planned: 0, imported: 0, refused: 3, skipped: 0 },
    });
    expect(await images()).toHaveLength(3);
  });

  test('adds nothing twice when two run at once', async () => {
    const list = `http://127.0.0.1:${source.port}/8.png\n`;
    const [one, two] = await Promise.all([run(list, { json: true }), run(list, { json: true })]);
    const outcomes = [one, two].map(({ out }) => lines(out)[0].type).sort();
    expect([
      ['imported', 'skipped'],
      ['imported', 'summary'],
    ]).toContainEqual(outcomes);
    expect((await images()).filter(({ originalUrl }) => originalUrl?.endsWith('/8.png'))).toHaveLength(1);
  });

  test('keeps what the list says, its time included', async () => {
    const csv = `url,prompt,createdAt,tags\nhttp://127.0.0.1:${source.port}/9.png,a fox,2024-05-06T07:08:09Z,a;b\n`;
    expect(await run(csv)).toMatchObject({ code: 0, out: '1 imported.\n' });
    expect((await images()).at(-1)).toMatchObject({
      prompt: 'a fox',
      tags: ['a', 'b'],
      createdAt: new Date('2024-05-06T07:08:09Z'),
    });
  });

  test('takes addresses that are longer than a key of an index', async () => {
    const url = `http://127.0.0.1:${source.port}/10.png?token=${'x'.repeat(6000)}`;
    expect(await run(url)).toMatchObject({ code: 0, out: '1 imported.\n' });
    expect(await run(url)).toMatchObject({ code: 0, out: '1 already imported, 0 imported.\n' });
  });
});
