import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetch } from 'undici';
import type { Bench } from './bench.ts';
import { type Contestant, type ContestResult, runContest, WrongResponse } from './contest.ts';
import type { Target } from './load.ts';
import { type MakeUnique, makePaintings, makePhotographs } from './pictures.ts';
import { type ServerProcess, startServer } from './servers.ts';

/**
 * Both sides write two megabytes to one disk for each request and wait for it. Eight requests at once keep
 * the disk and two cores busy; more would only wait longer.
 */
const CONNECTIONS = 8;
const BOUNDARY = 'fixative-bench-5d1f0c37a9';
/** One in SAMPLE uploads is downloaded afterwards. */
const SAMPLE = 50;
const UPLOAD =
  'mutation($input: UploadImageInput!) { uploadImage(input: $input) { image { sha256 bytes } userErrors { message } } }';

/** Measures uploads of one picture with new bytes each time, into two stores. */
export async function benchUpload(bench: Bench): Promise<ContestResult[]> {
  await claimStore(bench);
  const ours: Target = { ...bench.product, headers: { authorization: `Bearer ${bench.rootToken}` } };
  const rules = { ...warmedUp(bench.rules), connections: CONNECTIONS };
  const results: ContestResult[] = [];
  for (const { name, about, picture } of await makePictures()) {
    for (const [suffix, limitPath, what] of LIMITS) {
      // A new limit each time: its start deletes the gigabytes of the previous one.
      const limit = await startServer(['bench/limits/upload.ts'], {
        directory: bench.directory,
        env: {
          DATABASE_URL: bench.databaseUrl,
          DATABASE_POOL_SIZE: String(bench.poolSize),
          DIRECTORY: path.join(bench.directory, 'upload-limit'),
        },
      });
      try {
        const target: Target = { ...limit, url: new URL(limitPath, limit.url), headers: {} };
        const [product, other] = [await sender(ours, picture), await sender(target, picture)];
        const contest = { name: name + suffix, about: about + what, ours: product, limit: other };
        const result = await runContest(contest, rules, bench.databasePid);
        await proveOurs(bench, product.sent);
        await proveLimit(limit, other.sent);
        bench.report(result);
        results.push(result);
      } finally {
        await limit.stop();
      }
    }
  }
  return results;
}

/**
 * Rules with a longer warm-up: a request takes tens of milliseconds, so V8 compiles its code only after a
 * while.
 */
export const warmedUp = (rules: Bench['rules']): Bench['rules'] => ({
  ...rules,
  warmUpSeconds: 4 * rules.warmUpSeconds,
});

/**
 * Marks the directory as the store. The seeded rows have files there, so an unmarked one would look like an
 * unmounted disk.
 */
export async function claimStore(bench: Bench): Promise<void> {
  await promisify(execFile)(process.execPath, [MAIN, 'claim', 'filesystem'], {
    cwd: bench.directory,
    env: {
      DATABASE_URL: bench.databaseUrl,
      DATA_DIR: path.join(bench.directory, 'data'),
      FIXATIVE_ROOT_TOKEN: bench.rootToken,
    },
  });
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Sender extends Contestant {
  /** Hashes of a sample of the uploads. */
  readonly sent: string[];
}

async function sender(target: Target, picture: MakeUnique): Promise<Sender> {
  const answerBytes = await answerOf(target, picture());
  const sent: string[] = [];
  let count = 0;
  const body = () => {
    const file = picture();
    if (count++ % SAMPLE === 0) sent.push(sha256Of(file));
    return multipart(file);
  };
  return { target, subjects: [{ headers: HEADERS, body, answerBytes }], sent };
}

/** Limits. The second one also decodes the picture, as the product must. */
const LIMITS = [
  ['', '/', ''],
  ['Decoded', '/decoding', '; the limit decodes it too'],
] as const;

const HEADERS = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };

const [BEFORE, AFTER] = (() => {
  const part = (name: string, more = '') =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n`;
  const operations = JSON.stringify({ query: UPLOAD, variables: { input: { file: null } } });
  return [
    Buffer.from(
      `${part('operations')}\r\n${operations}\r\n${part('map')}\r\n{"0":["variables.input.file"]}\r\n` +
        `${part('0', '; filename="picture.png"')}Content-Type: image/png\r\n\r\n`,
    ),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ];
})();

function multipart(file: Buffer): Buffer {
  return Buffer.concat([BEFORE as Buffer, file, AFTER as Buffer]);
}

/** Uploads one file and checks the response. Returns its length. */
async function answerOf(target: Target, file: Buffer): Promise<number> {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: { ...HEADERS, ...target.headers },
    body: multipart(file),
  });
  const text = await response.text();
  if (!text.includes(sha256Of(file)) || !text.includes(String(file.length)))
    throw new WrongResponse(`An upload got the response ${response.status}: ${text}`);
  return Buffer.byteLength(text);
}

/** Checks that the uploads are in both stores and can be downloaded unchanged. */
export async function proveOurs(bench: Bench, sent: readonly string[]): Promise<void> {
  const found = await bench.database.query<{
    sha256: string;
    uuid: string;
    filename: string;
    copies: number;
  }>(
    `SELECT i.sha256, i.uuid, i.filename, (SELECT count(*)::int FROM copies c WHERE c.blob_id = i.blob_id AND c.state = 'STORED') AS copies
     FROM generated_images i WHERE i.sha256 = ANY($1::text[])`,
    [sent],
  );
  if (found.length !== sent.length || found.some(({ copies }) => copies !== 2))
    throw new WrongResponse(
      `Of ${sent.length} uploads ${found.length} have a record, or some are not in both stores.`,
    );
  for (const { sha256, uuid, filename } of found) {
    const url = new URL(`/images/${uuid}/${filename}`, bench.product.url);
    await proveFetched(url, sha256, { authorization: `Bearer ${bench.rootToken}` });
  }
  const stored = await bench.database.query<{ sha256: string }>(
    `SELECT encode(sha256(string_agg(c.data, ''::bytea ORDER BY c.position)), 'hex') AS sha256
     FROM stored_objects o JOIN stored_chunks c ON c.object_id = o.id WHERE substr(o.key, 7, 64) = ANY($1::text[]) GROUP BY o.id`,
    [sent],
  );
  if (stored.length !== sent.length || stored.some(({ sha256 }) => !sent.includes(sha256)))
    throw new WrongResponse(
      `Of ${sent.length} uploads the database has ${stored.length} with the right bytes.`,
    );
}

export async function proveLimit(limit: ServerProcess, sent: readonly string[]): Promise<void> {
  for (const sha256 of sent)
    for (const store of ['filesystem', 'database'])
      await proveFetched(new URL(`/${store}/${sha256}`, limit.url), sha256);
}

async function proveFetched(url: URL, sha256: string, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(url, { headers });
  const actual = sha256Of(Buffer.from(await response.arrayBuffer()));
  if (actual !== sha256)
    throw new WrongResponse(
      `${url} responded ${response.status} with the SHA-256 ${actual}; expected ${sha256}.`,
    );
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function makePictures() {
  const [painting, photo] = await Promise.all([makePaintings(), makePhotographs()]);
  const how = `, into two stores, ${CONNECTIONS} connections`;
  return [
    { name: 'upload', about: painting.about + how, picture: painting.picture },
    { name: 'uploadJpeg', about: photo.about + how, picture: photo.picture },
  ];
}
