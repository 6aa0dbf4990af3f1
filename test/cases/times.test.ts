import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expiryOf } from '../../src/command/token.ts';
import { exportImages } from '../../src/image/export.ts';
import { importDirectory } from '../../src/image/import/import-directory.ts';
import { parseAddressList } from '../../src/image/import/import-urls.ts';
import { parseSidecar } from '../../src/image/import/sidecar.ts';
import { parseImageFilter } from '../../src/image/list/filter-json.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { ask } from './ask.ts';

const zone = process.env.TZ;
afterEach(() => {
  process.env.TZ = zone;
});

describe.each(['UTC', 'Asia/Tokyo', 'America/St_Johns'])('on a machine in the zone %s', (name) => {
  test('times of a list are in UTC unless they say otherwise, and what is no time is refused by its line', async () => {
    process.env.TZ = name;
    const list = await readFile(new URL('inputs/times.csv', import.meta.url), 'utf8');
    const times = parseAddressList(list, { userId: 'root' }).map(({ image }) =>
      image instanceof Error ? image.message : (image.createdAt as Date).toISOString(),
    );
    expect(times).toEqual([
      '2025-07-01T12:00:00.000Z',
      '2025-07-01T12:00:00.000Z',
      '2025-07-01T12:00:00.000Z',
      '2025-07-01T00:00:00.000Z',
      'createdAt is not a time as in RFC 3339: "12".',
    ]);
  });

  test('a day that the calendar does not have, and a time that has not come, are refused', () => {
    process.env.TZ = name;
    const refused = (text: string) =>
      parseAddressList(`url,createdAt\nhttps://a.test/1,${text}`, { userId: 'root' })[0]?.image;
    for (const text of ['2025-02-30', '9999-01-01', '0000-01-01', '2025-07-01T12:00:00 PST'])
      expect(refused(text)).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('a token ends, and a filter begins, at the moment that was said', () => {
    process.env.TZ = name;
    expect(expiryOf('2027-01-01T00:00:00', 0)?.toISOString()).toBe('2027-01-01T00:00:00.000Z');
    expect(expiryOf('2027-02-30', 0)).toBeNull();
    const { createdAfter } = parseImageFilter('{"createdAfter":"2025-07-01 12:00:00"}');
    expect((createdAfter as Date).toISOString()).toBe('2025-07-01T12:00:00.000Z');
    expect(() => parseImageFilter('{"createdAfter":"12"}')).toThrow(/createdAfter/);
  });
});

/** Rows of other services. */
describe('an image of a time that no clock shows', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    const times = [
      'infinity',
      '12026-11-21 00:00:00+00',
      '9999-06-01',
      '2026-01-02',
      '2026-01-01',
      '0044-03-15 BC',
      '-infinity',
    ];
    for (const [index, time] of times.entries()) {
      const { image } = await upload(
        app,
        { content: await makePicture({ seed: 66_000 + index }) },
        { tags: ['far'], prompt: `${index}` },
      );
      await app.database.query(
        'UPDATE generated_images SET created_at = $1::timestamptz, updated_at = $1::timestamptz WHERE id = $2',
        [time, image?.databaseId],
      );
    }
  });
  afterAll(() => app.close());

  test.each(['{}', '{ tags: ["far"] }', '{ search: "0 or 1 or 2 or 3 or 4 or 5 or 6" }'])(
    'stands in pages of one, forward and backward, with the filter %s',
    async (filter) => {
      const walk = async (backward: boolean) => {
        const seen: string[] = [];
        const shown: string[] = [];
        for (let cursor: string | null = null, more = true; more; ) {
          const args: string = backward
            ? `last: 1 ${cursor ? `before: "${cursor}"` : ''}`
            : `first: 1 ${cursor ? `after: "${cursor}"` : ''}`;
          const { data, errors } = await ask(
            app,
            `{ images(filter: ${filter}, ${args}) { edges { cursor node { prompt createdAt updatedAt } }
              pageInfo { hasNextPage hasPreviousPage } } }`,
          );
          expect(errors).toBeUndefined();
          const [edge] = data.images.edges;
          seen.push(edge.node.prompt);
          shown.push(edge.node.createdAt);
          cursor = edge.cursor;
          more = data.images.pageInfo[backward ? 'hasPreviousPage' : 'hasNextPage'];
        }
        return { seen, shown };
      };
      const forward = await walk(false);
      expect(forward.seen).toEqual(['0', '1', '2', '3', '4', '5', '6']);
      expect(forward.shown).toEqual([
        '9999-12-31T23:59:59.999Z',
        '9999-12-31T23:59:59.999Z',
        '9999-06-01T00:00:00.000Z',
        '2026-01-02T00:00:00.000Z',
        '2026-01-01T00:00:00.000Z',
        '0001-01-01T00:00:00.000Z',
        '0001-01-01T00:00:00.000Z',
      ]);
      expect((await walk(true)).seen).toEqual(forward.seen.toReversed());
    },
  );

  test('is found by its id, counted by its day, and changed as any other', async () => {
    const { data } = await ask(
      app,
      '{ images(first: 7) { nodes { id } } imageStats { total byDay { day total } } }',
    );
    expect(data.imageStats.total).toBe(7);
    for (const { id } of data.images.nodes) {
      const one = await ask(
        app,
        'mutation ($id: ID!) { updateImage(input: { id: $id, addTags: ["seen"], mergeMetadata: { a: 1 } }) { image { tags } userErrors { message } } }',
        { id },
      );
      expect(one).toEqual({ data: { updateImage: { image: { tags: ['far', 'seen'] }, userErrors: [] } } });
    }
  });

  test('is exported with a time that is read again', async () => {
    const directory = path.join(app.directory, 'exported');
    const files: string[] = [];
    await exportImages(app, { directory, filter: {} }, (outcome) => {
      if ('file' in outcome) files.push(outcome.file);
    });
    expect(files).toHaveLength(7);
    for (const file of files) {
      const json = JSON.parse(await readFile(path.join(directory, `${file}.json`), 'utf8'));
      expect(parseSidecar(json, { userId: 'root', tool: 'import', filename: file }).image.createdAt).toMatch(
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
      );
    }
  });

  test('a cursor that names no moment is refused', async () => {
    const cursor = (key: string) => Buffer.from(`createdAt:${key}:1`).toString('base64url');
    for (const key of [
      '2026-02-30 00:00:00+00',
      '2026-11-21 25:00:00+00',
      'now',
      '',
      '99999999999999999999',
      "'",
    ]) {
      const { data, errors } = await ask(
        app,
        `{ images(first: 1, after: "${cursor(key)}") { nodes { id } } }`,
      );
      expect(data, key).toBeNull();
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_CURSOR' });
    }
    // The former form of cursors: microseconds since 1970.
    const old = cursor(String(Date.UTC(2026, 0, 2, 0, 0, 1) * 1000));
    const { data } = await ask(app, `{ images(first: 1, after: "${old}") { nodes { prompt } } }`);
    expect(data.images.nodes).toEqual([{ prompt: '3' }]);
  });
});

describe('numbers that JavaScript rounds', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  test.each(['18446744073709551615', '1e400', '-9007199254740993'])(
    'are refused in metadata and in filters, in variables and in the document: %s',
    async (number) => {
      const { image } = await upload(app, { content: await makePicture({ seed: 67_000 }) });
      const send = async (query: string, variables = '{}') => {
        const response = await app.fetch('/graphql', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: `{"query":${JSON.stringify(query)},"variables":${variables}}`,
        });
        return JSON.stringify(await response.json());
      };
      const head = (name: string, value: string) => `${name}${value.startsWith('$') ? '($m: JSON)' : ''}`;
      const change = (value: string) =>
        `mutation ${head('Change', value)} { updateImage(input: { id: "${image?.id}", metadata: ${value} }) { image { id } userErrors { code message } } }`;
      const find = (value: string) =>
        `query ${head('Find', value)} { images(filter: { metadata: ${value} }) { totalCount } }`;
      for (let time = 0; time < 2; time++) {
        for (const document of [change, find]) {
          for (const answer of [
            await send(document(`{ seed: ${number} }`)),
            await send(document('$m'), `{"m":{"a":[{"seed":${number}}]}}`),
          ]) {
            expect(answer).toContain('INVALID_INPUT');
            expect(answer).toContain('send it as a string');
          }
        }
      }
    },
  );

  test('leave as another service wrote them', async () => {
    const { image } = await upload(app, { content: await makePicture({ seed: 67_001 }) });
    const written = '{"seed": 18446744073709551615, "small": 0.12345678901234567890123, "plain": 7}';
    await app.database.query('UPDATE generated_images SET metadata = $1::text::jsonb WHERE id = $2', [
      written,
      image?.databaseId,
    ]);
    for (let time = 0; time < 3; time++) {
      const response = await app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: `{ image(id: "${image?.id}") { metadata } }` }),
      });
      const text = await response.text();
      for (const number of ['18446744073709551615', '0.12345678901234567890123', ':7'])
        expect(text).toContain(number);
    }
    // Exported with a sidecar, and imported by another server.
    const directory = path.join(app.directory, 'exported');
    const filter = { sha256: image?.sha256 ?? '' };
    await exportImages(app, { directory, filter }, () => {});
    const other = await openTestApp();
    try {
      await importDirectory({ ...other, ...other.services }, { directory }, () => {});
      const [row] = await other.database.query<{ metadata: string }>(
        'SELECT metadata::text AS metadata FROM generated_images WHERE sha256 = $1',
        [filter.sha256],
      );
      expect(row?.metadata).toContain('18446744073709551615');
      expect(row?.metadata).toContain('0.12345678901234567890123');
    } finally {
      await other.close();
    }
  });
});
