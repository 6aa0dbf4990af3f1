import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import { FormData, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UploadImageDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload, uploadForm } from '../upload.ts';

const MiB = 1024 * 1024;

describe('uploads', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ MAX_UPLOAD_BYTES: '1 MiB', MAX_UPLOAD_FILES: '3' });
  });
  afterAll(() => app.close());

  const post = (body: FormData, headers = {}) => app.fetch('/graphql', { method: 'POST', body, headers });
  const two = `mutation Two($a: UploadImageInput!, $b: UploadImageInput!) {
    a: uploadImage(input: $a) { image { sha256 } userErrors { code message } }
    b: uploadImage(input: $b) { image { sha256 } userErrors { code message } }
  }`;
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
  const file = (data: Uint8Array, name = 'x.png') => new File([data as BlobPart], name);

  test('may come several in one request, asked for in another order than they are sent', async () => {
    const [first, second] = await Promise.all(
      [1, 2].map((seed) => makePicture({ seed: 5000 + seed, width: 300, height: 300 })),
    );
    const form = new FormData();
    form.append(
      'operations',
      JSON.stringify({ query: two, variables: { a: { file: null }, b: { file: null } } }),
    );
    form.append('map', JSON.stringify({ one: ['variables.b.file'], two: ['variables.a.file'] }));
    form.append('one', file(first as Buffer));
    form.append('two', file(second as Buffer));
    const { data } = (await (await post(form)).json()) as {
      data: Record<'a' | 'b', { image: { sha256: string } }>;
    };
    expect(data.a.image.sha256).toBe(sha256(second as Buffer));
    expect(data.b.image.sha256).toBe(sha256(first as Buffer));
  });

  test('may serve two operations with one file', async () => {
    const picture = await makePicture({ seed: 5100 });
    const form = new FormData();
    form.append(
      'operations',
      JSON.stringify({ query: two, variables: { a: { file: null }, b: { file: null } } }),
    );
    form.append('map', JSON.stringify({ 0: ['variables.a.file', 'variables.b.file'] }));
    form.append('0', file(picture));
    const { data } = (await (await post(form)).json()) as {
      data: Record<'a' | 'b', { image: { sha256: string } }>;
    };
    expect(data.a.image.sha256).toBe(sha256(picture));
    expect(data.b.image.sha256).toBe(sha256(picture));
  });

  test('are spooled and discarded also when nobody asks for them', async () => {
    const form = new FormData();
    form.append('operations', JSON.stringify({ query: '{ stores { name } }', variables: { file: null } }));
    form.append('map', JSON.stringify({ 0: ['variables.file'] }));
    form.append('0', file(await makePicture()));
    expect(await (await post(form)).json()).toMatchObject({ data: { stores: [{}, {}] } });
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
  });

  test('are refused while they stream, without the rest being read', async () => {
    let sent = 0;
    const boundary = 'xxBOUNDARYxx';
    const head = [
      `--${boundary}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n`,
      JSON.stringify({ query: print(UploadImageDocument), variables: { input: { file: null } } }),
      `\r\n--${boundary}\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0":["variables.input.file"]}`,
      `\r\n--${boundary}\r\nContent-Disposition: form-data; name="0"; filename="big.png"\r\nContent-Type: image/png\r\n\r\n`,
    ].join('');
    const endless = Readable.from(
      (async function* () {
        yield Buffer.from(head);
        for (;;) {
          sent += MiB;
          yield Buffer.alloc(MiB);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })(),
    );
    const answer = await new Promise<string>((resolve, reject) => {
      const request = httpRequest(`${app.url}/graphql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${ROOT_TOKEN}`,
          'content-type': `multipart/form-data; boundary=${boundary}`,
        },
      });
      request.on('response', (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
      });
      // The server cuts the connection some time after its answer.
      request.on('error', () => {});
      endless.on('error', () => {});
      endless.pipe(request);
      request.on('close', () => endless.destroy());
    });
    expect(JSON.parse(answer)).toMatchObject({
      data: {
        uploadImage: { image: null, userErrors: [{ __typename: 'TooLargeError', code: 'TOO_LARGE' }] },
      },
    });
    expect(sent).toBeLessThan(64 * MiB);
    endless.destroy();
    await eventually(async () => expect(await app.files('spool')).toEqual([]));
  });

  test('tell a file behind one that is too large that it was not read', async () => {
    const form = new FormData();
    form.append(
      'operations',
      JSON.stringify({ query: two, variables: { a: { file: null }, b: { file: null } } }),
    );
    form.append('map', JSON.stringify({ 0: ['variables.a.file'], 1: ['variables.b.file'] }));
    form.append('0', file(Buffer.alloc(3 * MiB)));
    form.append('1', file(await makePicture()));
    const { data } = (await (await post(form)).json()) as { data: unknown };
    expect(data).toMatchObject({
      a: { userErrors: [{ code: 'TOO_LARGE' }] },
      b: { userErrors: [{ code: 'UPLOAD_INTERRUPTED' }] },
    });
  });

  test('leave no temporary file when the client hangs up', async () => {
    const before = await app.database.query('SELECT id FROM generated_images');
    const abort = new AbortController();
    const boundary = 'b';
    const head = `--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query: print(UploadImageDocument), variables: { input: { file: null } } })}\r\n--b\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0":["variables.input.file"]}\r\n--b\r\nContent-Disposition: form-data; name="0"; filename="a.png"\r\n\r\n`;
    const body = Readable.from(
      (async function* () {
        yield Buffer.from(head);
        for (let i = 0; i < 1000; i++) {
          yield Buffer.alloc(1000);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      })(),
    );
    const sending = fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ROOT_TOKEN}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
      },
      body,
      duplex: 'half',
      signal: abort.signal,
    }).catch(() => {});
    await eventually(async () => expect(await app.files('spool')).toHaveLength(1));
    abort.abort();
    await sending;
    await eventually(async () => {
      expect(await app.files('spool')).toEqual([]);
      expect(app.storage.spooler.count).toBe(0);
    });
    expect(await app.database.query('SELECT id FROM generated_images')).toHaveLength(before.length);
  });

  const malformed: [string, [string, string][]][] = [
    [
      'operations that is null',
      [
        ['operations', 'null'],
        ['map', '{}'],
      ],
    ],
    [
      'operations that is true',
      [
        ['operations', 'true'],
        ['map', '{}'],
      ],
    ],
    [
      'operations that is empty',
      [
        ['operations', ''],
        ['map', '{}'],
      ],
    ],
    [
      'operations that is 1',
      [
        ['operations', '1'],
        ['map', '{}'],
      ],
    ],
    [
      'operations that is no JSON',
      [
        ['operations', '{'],
        ['map', '{}'],
      ],
    ],
    [
      'several operations',
      [
        ['operations', '[{"query":"{stores{name}}"}]'],
        ['map', '{}'],
      ],
    ],
    [
      'a map before operations',
      [
        ['map', '{}'],
        ['operations', '{}'],
      ],
    ],
    ['no map', [['operations', '{"query":"{stores{name}}"}']]],
    [
      'a map with an entry that is no array',
      [
        ['operations', '{"query":"{stores{name}}"}'],
        ['map', '{"0":"variables.file"}'],
      ],
    ],
    [
      'a map to nowhere',
      [
        ['operations', '{"query":"{stores{name}}"}'],
        ['map', '{"0":["variables.a.b"]}'],
      ],
    ],
    [
      'a map to an inherited function',
      [
        ['operations', '{"query":"{stores{name}}","variables":{"input":{}}}'],
        ['map', '{"0":["variables.input.hasOwnProperty.call"]}'],
      ],
    ],
    [
      'a map of two files to one place',
      [
        ['operations', '{"query":"{stores{name}}","variables":{"a":null}}'],
        ['map', '{"0":["variables.a"],"1":["variables.a"]}'],
      ],
    ],
    [
      'a map to the prototype',
      [
        ['operations', '{"query":"{stores{name}}"}'],
        ['map', '{"0":["__proto__.x"]}'],
      ],
    ],
    [
      'a map of more files than are allowed',
      [
        ['operations', '{"query":"{stores{name}}","variables":{}}'],
        ['map', '{"0":["variables.a"],"1":["variables.b"],"2":["variables.c"],"3":["variables.d"]}'],
      ],
    ],
  ];
  test.each([
    ['a malformed part header', '--X\r\nbad header line\r\n\r\nv\r\n--X--\r\n'],
    ['a body that ends in the middle', '--X\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{'],
    [
      'NUL in the name of a file',
      '--X\r\nContent-Disposition: form-data; name="0"; filename="a\0.png"\r\n\r\nv\r\n--X--\r\n',
    ],
    ['nothing at all', ''],
  ])('answer %s with 400, and the server lives', async (_name, body) => {
    for (const type of ['multipart/form-data; boundary=X', 'Multipart/Form-Data ; boundary=X']) {
      const response = await app.fetch('/graphql', {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });
      expect(response.status).toBe(400);
      await response.text();
    }
    expect((await app.fetch('/health')).status).toBe(200);
  });

  test.each([
    ['that would go on with the connection', ''],
    ['that would not', 'Connection: close\r\n'],
  ])('are refused so that a client hears it while it sends: one %s', async (_what, header) => {
    const { host, port } = new URL(app.url);
    const client = connect(Number(port), '127.0.0.1');
    let answer = '';
    let isOver = false;
    client.on('error', () => {});
    client.on('close', () => {
      isOver = true;
    });
    client.write(
      `POST /graphql HTTP/1.1\r\nHost: ${host}\r\n${header}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 50000000\r\n\r\n`,
    );
    const part = Buffer.alloc(100_000);
    let sent = 0;
    while (!isOver && sent < 30_000_000) {
      client.write(part);
      sent += part.length;
      await sleep(10);
      // It sends first, and reads what there is only then: a connection that is reset by then has nothing any
      // more.
      if (sent !== 2_000_000) continue;
      client.on('data', (data) => {
        answer += data;
      });
    }
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain('UNAUTHENTICATED');
    expect(isOver).toBe(true);
    client.destroy();
  });

  test('do not hang on a file that nobody asked for, or that is sent twice', async () => {
    const operations = JSON.stringify({
      query: print(UploadImageDocument),
      variables: { input: { file: null } },
    });
    const large = file(Buffer.alloc(900_000));
    const nobody = new FormData();
    nobody.append('operations', operations);
    nobody.append('map', '{"1":[],"0":["variables.input.file"]}');
    nobody.append('1', large);
    nobody.append('0', file(await makePicture()));
    expect((await post(nobody)).status).toBe(400);
    const twice = new FormData();
    twice.append('operations', operations);
    twice.append('map', '{"0":["variables.input.file"]}');
    for (let i = 0; i < 3; i++) twice.append('0', large);
    const response = await post(twice);
    await response.text();
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
  });

  test.each(malformed)('answer %s with a reason and not with 500', async (_name, fields) => {
    const form = new FormData();
    for (const [name, value] of fields) form.append(name, value);
    const response = await post(form);
    expect([400, 413]).toContain(response.status);
    const { errors } = (await response.json()) as {
      errors: { message: string; extensions: { code: string } }[];
    };
    expect(['BAD_REQUEST', 'TOO_LARGE']).toContain(errors[0]?.extensions.code);
  });

  test('whose file is missing say so', async () => {
    const form = uploadForm({ content: 'x' });
    form.delete('0');
    const response = await post(form);
    expect(await response.json()).toMatchObject({
      data: {
        uploadImage: {
          image: null,
          userErrors: [{ code: 'BAD_REQUEST', message: expect.stringContaining('no part with this file') }],
        },
      },
    });
  });

  test('are not taken from a form that any page could send', async () => {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      body: 'query={stores{name}}',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(response.status).toBe(415);
    await response.text();
  });
});

describe('bad input', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ MAX_UPLOAD_BYTES: '1 MiB' });
  });
  afterAll(async () => {
    // Nothing of all that was refused is left anywhere.
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    expect(await app.files('images')).toEqual([]);
    expect(await app.files('spool')).toEqual([]);
    for (const table of ['generated_images', 'blobs', 'copies', 'stored_objects', 'stored_chunks']) {
      expect(await app.database.query(`SELECT 1 FROM ${table}`), table).toEqual([]);
    }
    await app.close();
  });

  const refused = async (
    content: Uint8Array | string,
    error: object,
    more: { name?: string; type?: string; input?: object } = {},
  ) => {
    const result = await upload(app, { content, ...more }, { ...more.input });
    expect(result).toMatchObject({ image: null, userErrors: [error] });
    return result.userErrors[0]?.message ?? '';
  };

  test('an empty file', () => refused('', { __typename: 'InputError', code: 'EMPTY_FILE' }));
  test('a file of the wrong type', async () => {
    const message = await refused(
      '%PDF-1.7\n1 0 obj\n',
      { __typename: 'UnsupportedTypeError', code: 'UNSUPPORTED_TYPE' },
      { name: 'a.pdf', type: 'application/pdf' },
    );
    expect(message).toMatch(/PDF.*PNG, JPEG, WebP, GIF/s);
  });
  test('a file that lies about its type', async () => {
    const message = await refused(
      '<!doctype html><script>alert(1)</script>',
      { code: 'UNSUPPORTED_TYPE' },
      { name: 'a.png', type: 'image/png' },
    );
    expect(message).toContain('HTML');
  });
  test('an SVG, which is a program', async () => {
    const message = await refused(
      '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
      { code: 'UNSUPPORTED_TYPE' },
      { name: 'a.svg', type: 'image/svg+xml' },
    );
    expect(message).toContain('SVG');
  });
  test('a file that is too large', () =>
    refused(Buffer.alloc(2 * MiB), { __typename: 'TooLargeError', code: 'TOO_LARGE' }));
  test('a bomb of 30,000 by 30,000 pixels', async () => {
    const { makeClaimingPng } = await import('../pictures.ts');
    const message = await refused(makeClaimingPng(30_000, 30_000), {
      __typename: 'TooLargeError',
      code: 'TOO_LARGE',
    });
    expect(message).toContain('pixels');
  });
  test.each(['png', 'jpeg', 'webp', 'gif', 'avif'] as const)('a %s that is cut short', async (format) => {
    const picture = await makePicture({ format, width: 200, height: 200, seed: 6000 });
    await refused(picture.subarray(0, Math.floor(picture.length * 0.7)), { code: 'DAMAGED_IMAGE' });
    await refused(picture.subarray(0, picture.length - 3), { code: 'DAMAGED_IMAGE' });
  });
  test('a PNG with a wrong checksum', async () => {
    const { withWrongCrc } = await import('../pictures.ts');
    await refused(withWrongCrc(await makePicture()), { code: 'DAMAGED_IMAGE' });
  });
  test('a user, tags and metadata outside their limits', async () => {
    const picture = await makePicture();
    const cases: [object, string][] = [
      [{ userId: 'x'.repeat(256) }, 'userId'],
      [{ userId: ' ' }, 'userId'],
      [{ userId: 'a\0b' }, 'userId'],
      [{ tags: Array.from({ length: 51 }, String) }, 'tags'],
      [{ tags: ['x'.repeat(101)] }, 'tags'],
      [{ metadata: [1] }, 'metadata'],
      [{ metadata: { a: 'x'.repeat(70_000) } }, 'metadata'],
      [{ metadata: { a: '\0' } }, 'metadata'],
      [{ metadata: { '\ud800': 1 } }, 'metadata'],
      [{ metadata: JSON.parse(`${'{"a":'.repeat(30)}1${'}'.repeat(30)}`) }, 'metadata'],
      [{ prompt: 'a\0' }, 'prompt'],
      [{ filename: 'x'.repeat(300) }, 'filename'],
    ];
    for (const [input, field] of cases) {
      await refused(picture, { code: 'INVALID_INPUT', path: ['input', field] }, { input });
    }
  });
});
