import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';

let app: TestApp;
let picture: Buffer;
beforeAll(async () => {
  app = await openTestApp({ MAX_UPLOAD_BYTES: '1 MiB', MAX_UPLOAD_FILES: '2', MAX_BODY_BYTES: '64 KiB' });
  picture = await makePicture({});
});
afterAll(async () => {
  await eventually(() => expect(app.storage.spooler.count).toBe(0));
  await app.close();
});

const QUERY =
  'mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { bytes filename } userErrors { code message path } } }';
const OPERATIONS = JSON.stringify({ query: QUERY, variables: { input: { file: null } } });
const MAP = '{"0":["variables.input.file"]}';
const FILE = '; filename="a.png"';
const BLOB = '; filename="blob"\r\nContent-Type: application/json';

type Part = readonly [name: string, value: string | Buffer, more?: string];
const operations: Part = ['operations', OPERATIONS];
const map: Part = ['map', MAP];
const file = (): Part => ['0', picture, FILE];

function formOf(parts: readonly Part[], end = '--X--\r\n'): Buffer {
  return Buffer.concat([
    ...parts.flatMap(([name, value, more = '']) => [
      Buffer.from(`--X\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`),
      Buffer.from(value as string),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(end),
  ]);
}

async function post(body: Buffer): Promise<{ status: number; json: Answer }> {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    body: body as never,
    headers: { 'content-type': 'multipart/form-data; boundary=X' },
  });
  return { status: response.status, json: (await response.json()) as Answer };
}

interface Answer {
  data?: { uploadImage: { image: { bytes: number; filename: string } | null; userErrors: object[] } };
  errors?: { message: string; extensions: { code: string } }[];
}

test.each<[string, () => Part[], RegExp?]>([
  ['as the specification says', () => [operations, map, file()], /^a-/],
  [
    'whose part has an empty name',
    () => [operations, ['map', '{"":["variables.input.file"]}'], ['', picture, FILE]],
    /^a-/,
  ],
  ['whose file has an empty name', () => [operations, map, ['0', picture, '; filename=""']]],
  [
    'whose file has an empty name and a type',
    () => [operations, map, ['0', picture, '; filename=""\r\nContent-Type: image/png']],
  ],
  ['whose file has no name', () => [operations, map, ['0', picture]]],
  [
    'whose file has no name and a type',
    () => [operations, map, ['0', picture, '\r\nContent-Type: image/png']],
  ],
  [
    'whose part has a name of other letters, and its file none',
    () => [operations, ['map', '{"é":["variables.input.file"]}'], ['é', picture]],
  ],
  ['whose operations are a Blob', () => [['operations', OPERATIONS, BLOB], map, file()], /^a-/],
  ['whose map is a Blob', () => [operations, ['map', MAP, BLOB], file()], /^a-/],
  [
    'whose operations are a Blob without a type',
    () => [
      ['operations', OPERATIONS, '; filename="blob"\r\nContent-Type: application/octet-stream'],
      map,
      file(),
    ],
    /^a-/,
  ],
  [
    'with fields that nobody asked for',
    () => [['a', '1'], ['b', '2'], operations, map, file(), ['c', '3']],
    /^a-/,
  ],
  ['with a file that nobody asked for', () => [operations, map, ['1', picture, FILE], file()], /^a-/],
  [
    'whose names hold what separates parameters',
    () => [
      operations,
      ['map', '{"a; filename=":["variables.input.file"]}'],
      ['a; filename=', picture, '; filename="b; name=.png"'],
    ],
    /^b-name-/,
  ],
])('a form %s is taken', async (_name, parts, filename = /^image-/) => {
  const { status, json } = await post(formOf(parts()));
  expect(json, JSON.stringify(json)).toMatchObject({
    data: { uploadImage: { image: { bytes: picture.length }, userErrors: [] } },
  });
  expect(json.data?.uploadImage.image?.filename).toMatch(filename);
  expect(status).toBe(200);
});

test.each<[string, () => Buffer, string, RegExp]>([
  ['nothing', () => formOf([]), 'BAD_REQUEST', /no part "operations" and no part "map"/],
  ['no map', () => formOf([operations]), 'BAD_REQUEST', /no part "map"/],
  ['no operations', () => formOf([map, file()]), 'BAD_REQUEST', /"map" comes before the part "operations"/],
  [
    'the file ahead of the map',
    () => formOf([operations, file(), map]),
    'BAD_REQUEST',
    /The file "0" comes before the part "map". Send "operations" first/,
  ],
  [
    'operations twice',
    () => formOf([operations, operations, map, file()]),
    'BAD_REQUEST',
    /"operations" twice/,
  ],
  [
    'operations that are no JSON',
    () => formOf([['operations', '{'], map]),
    'BAD_REQUEST',
    /"operations" is not JSON\.$/,
  ],
  [
    'operations that are null',
    () => formOf([['operations', 'null'], map]),
    'BAD_REQUEST',
    /not a JSON object/,
  ],
  [
    'a map that is a list',
    () => formOf([operations, ['map', '[]']]),
    'BAD_REQUEST',
    /"map" is not a JSON object/,
  ],
  [
    'a map of texts',
    () => formOf([operations, ['map', '{"0":"variables.input.file"}']]),
    'BAD_REQUEST',
    /gives the file "0" no list of paths/,
  ],
  [
    'a map of more files than are allowed',
    () => formOf([operations, ['map', '{"0":["variables.a"],"1":["variables.b"],"2":["variables.c"]}']]),
    'TOO_LARGE',
    /MAX_UPLOAD_FILES/,
  ],
  [
    'operations that are too long',
    () => formOf([['operations', JSON.stringify({ query: QUERY, x: 'x'.repeat(70_000) })], map]),
    'TOO_LARGE',
    /"operations" is larger than the limit of 64 KiB \(MAX_BODY_BYTES\)/,
  ],
  ['no end', () => formOf([operations, map], ''), 'BAD_REQUEST', /ends before its closing boundary/],
  [
    'a part whose header is none',
    () => Buffer.from('--X\r\nbad\r\n\r\n--X--\r\n'),
    'BAD_REQUEST',
    /header of a part of the form is malformed/,
  ],
])('a form of %s is refused as a request', async (_name, form, code, message) => {
  const { status, json } = await post(form());
  expect(status).toBe(code === 'TOO_LARGE' ? 413 : 400);
  expect(json.errors?.[0]?.extensions.code).toBe(code);
  expect(json.errors?.[0]?.message).toMatch(message);
  expect(json.errors?.[0]?.message).not.toMatch(/\.\.$|graphql-upload|jaydenseric/);
});

test.each<[string, () => Buffer, string, RegExp]>([
  ['without the file', () => formOf([operations, map]), 'BAD_REQUEST', /no part with this file/],
  [
    'that sends it twice',
    () => formOf([operations, map, file(), file()]),
    'BAD_REQUEST',
    /^The form has the part "0" twice\.$/,
  ],
  [
    'without its end',
    () => formOf([operations, map, file()], ''),
    'UPLOAD_INTERRUPTED',
    /^The form ends before its closing boundary: the upload was interrupted\. Send it again\.$/,
  ],
  [
    'whose file is empty',
    () => formOf([operations, map, ['0', '', FILE]]),
    'EMPTY_FILE',
    /"a.png" has no bytes/,
  ],
  [
    'whose file is no picture',
    () => formOf([operations, map, ['0', 'hello', FILE]]),
    'UNSUPPORTED_TYPE',
    /detected: plain text/,
  ],
  [
    'whose file is cut',
    () => formOf([operations, map, ['0', picture.subarray(0, -20), FILE]]),
    'DAMAGED_IMAGE',
    /damaged/,
  ],
  [
    'whose file is too large',
    () => formOf([operations, map, ['0', Buffer.alloc(1_100_000), FILE]]),
    'TOO_LARGE',
    /MAX_UPLOAD_BYTES/,
  ],
])('a form %s is refused where the file is named', async (_name, form, code, message) => {
  const { status, json } = await post(form());
  expect(status).toBe(200);
  expect(json.data?.uploadImage).toEqual({
    image: null,
    userErrors: [{ code, message: expect.stringMatching(message), path: ['input', 'file'] }],
  });
});

test('a form that goes on behind its end, with a file that does not end, is answered', async () => {
  const behind = Buffer.concat([
    Buffer.from('--X--\r\n--X\r\nContent-Disposition: form-data; name="q"\r\n\r\n1\r\n'),
    Buffer.from('--X\r\nContent-Disposition: form-data; name="z"; filename="z"\r\n\r\nabc\r\n'),
  ]);
  const { json } = await post(Buffer.concat([formOf([operations, map], ''), behind]));
  expect(json.data?.uploadImage).toEqual({
    image: null,
    // Where the body comes in several pieces, what is behind its end is not even looked at.
    userErrors: [
      {
        code: expect.stringMatching(/^(UPLOAD_INTERRUPTED|BAD_REQUEST)$/),
        message: expect.any(String),
        path: ['input', 'file'],
      },
    ],
  });
});

test('a Content-Type without a boundary is told what it lacks', async () => {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    body: 'x',
    headers: { 'content-type': 'multipart/form-data' },
  });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('has no boundary');
});

test('faults of files and addresses say where in the input they lie, wherever a file can stand', async () => {
  const query = `mutation ($generate: GenerateImageInput!, $mask: GenerateImageInput!, $record: RecordImageInput!, $url: RecordImageInput!) {
    generate: generateImage(input: $generate) { userErrors { code path } }
    mask: generateImage(input: $mask) { userErrors { code path } }
    record: recordImage(input: $record) { userErrors { code path } }
    url: recordImage(input: $url) { userErrors { code path } }
    import: importImage(input: { url: "http://127.0.0.1/x.png" }) { userErrors { code path } }
  }`;
  const asked = { tool: 'imageEditor', prompt: 'a fox' };
  const { image } = await upload();
  const variables = {
    generate: { ...asked, references: [{ file: null }] },
    mask: { ...asked, references: [{ id: image }], mask: { file: null } },
    record: { tool: 'x', file: null },
    url: { tool: 'x', url: 'ftp://example.com/x.png' },
  };
  const places = [
    'variables.generate.references.0.file',
    'variables.mask.mask.file',
    'variables.record.file',
  ];
  const body = formOf([
    ['operations', JSON.stringify({ query, variables })],
    ['map', JSON.stringify({ 0: places })],
    ['0', 'hello', FILE],
  ]);
  const { json } = await post(body);
  const paths = Object.entries(
    json.data as unknown as Record<string, { userErrors: { path: string[] }[] }>,
  ).map(([name, { userErrors }]) => [name, userErrors.map(({ path }) => path.join('.'))]);
  expect(Object.fromEntries(paths), JSON.stringify(json)).toEqual({
    generate: ['input.references.0.file'],
    mask: ['input.mask.file'],
    record: ['input.file'],
    url: ['input.url'],
    import: ['input.url'],
  });
});

async function upload(): Promise<{ image: string | undefined }> {
  const query = QUERY.replace('bytes', 'id');
  const body = formOf([
    ['operations', JSON.stringify({ query, variables: { input: { file: null } } })],
    map,
    file(),
  ]);
  const { json } = await post(body);
  return { image: (json.data?.uploadImage.image as unknown as { id: string } | null)?.id };
}

test.each([
  ['first=x', 'first is "x"'],
  ['first=', 'first is ""'],
  ['limit=abc', 'limit is "abc"'],
  ['first=1e3', 'first is "1e3"'],
  ['first=0x10', 'first is "0x10"'],
  ['first=-1', 'first is -1'],
  ['first=101', 'first is 101'],
])('the HTTP list says what is wrong with %s', async (query, message) => {
  const response = await app.fetch(`/api/images/generated?${query}`);
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe('INVALID_INPUT');
  expect(error.message).toContain(message);
  expect(error.message).toMatch(/from 0 to 100/);
});

test('the HTTP list has an empty page for first=0', async () => {
  const response = await app.fetch('/api/images/generated?first=0');
  expect([response.status, await response.json()]).toEqual([200, { images: [], nextCursor: null }]);
});
