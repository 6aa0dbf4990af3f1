import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fetch } from 'undici';
import { makeDatabaseStore } from '../src/storage/stores/database/database-store.ts';
import { documentedSite, fileSite, isInstalled, startNginx } from '../test/nginx.ts';
import type { Bench, BytesLoader } from './bench.ts';
import { makePng, type StoredFile, storeImages } from './byte-files.ts';
import { type Contestant, type ContestResult, runContest, WrongResponse } from './contest.ts';
import type { Target } from './load.ts';
import { type ServerProcess, startServer } from './servers.ts';
import { loadByWrk } from './wrk.ts';

const SMALL = 50_000;
const LARGE = 1_000_000;
const HOT = 8;
const COUNTS = {
  full: { small: 4000, large: 300, stored: 40 },
  quick: { small: 400, large: 40, stored: 10 },
};
/**
 * Measures downloads of public images, without a token, against nginx, which sends the same files by
 * sendfile. Hot: few images, repeatedly. Cold: so many in turn that none is in a cache of ours when it is
 * requested again. The files are in the page cache for both.
 */
export async function benchBytes(bench: Bench): Promise<ContestResult[]> {
  const missing = ['nginx', 'wrk'].filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    process.stderr.write(`bytes was skipped. Install: ${missing.join(', ')}.\n`);
    return [];
  }
  const counts = bench.rules.rounds > 2 ? COUNTS.full : COUNTS.quick;
  const directory = path.join(bench.directory, 'bytes');
  const files = path.join(directory, 'data', 'images');
  await mkdir(files, { recursive: true });
  await writeFile(path.join(files, '.fixative-store'), '{}');
  const small = await storeImages(bench.database, files, { count: counts.small, bytes: SMALL });
  const large = await storeImages(bench.database, files, { count: counts.large, bytes: LARGE });
  const stored = await storeImages(bench.database, files, {
    count: counts.stored,
    bytes: LARGE,
    keep: makeDatabaseStore({ name: 'database', database: bench.database }),
  });

  const serve = (settings: Record<string, string>) =>
    bench.startProduct(['serve'], {
      DATA_DIR: path.join(directory, 'data'),
      RATE_LIMIT_PER_ADDRESS: 'off',
      ...settings,
    });
  const results: ContestResult[] = [];
  const nginx = await startNginx({ directory: path.join(directory, 'nginx'), site: fileSite(files) });
  try {
    const limit: Target = { url: nginx.url, pid: nginx.pid, headers: {} };
    const compare = async (
      contests: readonly { name: string; about: string; of: readonly StoredFile[]; bytes: number }[],
      settings: Record<string, string>,
      standBefore: (server: ServerProcess) => Promise<ServerProcess | null> = async () => null,
    ) => {
      const ours = await serve(settings);
      const front = await standBefore(ours);
      try {
        const { origin } = (front ?? ours).url;
        const target: Target = { url: new URL(origin), pid: ours.pid, headers: {} };
        for (const { name, about, of, bytes } of contests) {
          await agreeOnBytes(name, { ours: target, limit }, of);
          const sides = {
            ours: { target, paths: of.map(ourPath) },
            limit: { target: limit, paths: of.map(theirPath) },
          };
          results.push(...(await runByLoaders(bench, { name, about, bytes, directory, ...sides })));
        }
      } finally {
        await front?.stop();
        await ours.stop();
      }
    };
    await compare(
      [
        { name: 'bytes50kHot', about: `${HOT} images of 50 kB`, of: small.slice(0, HOT), bytes: SMALL },
        { name: 'bytes1MHot', about: `${HOT} images of 1 MB`, of: large.slice(0, HOT), bytes: LARGE },
      ],
      { STORES: 'filesystem' },
    );
    await compare(
      [
        {
          name: 'bytes50kRead',
          about: `${small.length} images of 50 kB, of which only the rows are cached`,
          of: small,
          bytes: SMALL,
        },
        {
          name: 'bytes1MRead',
          about: `${large.length} images of 1 MB, of which only the rows are cached`,
          of: large,
          bytes: LARGE,
        },
      ],
      { STORES: 'filesystem', BYTES_CACHE_BYTES: '1MiB', MAX_OPEN_FILES: '16' },
    );
    await compare(
      [
        {
          name: 'bytes50kCold',
          about: `${small.length} images of 50 kB, more than any cache holds`,
          of: small,
          bytes: SMALL,
        },
        {
          name: 'bytes1MCold',
          about: `${large.length} images of 1 MB, more than any cache holds`,
          of: large,
          bytes: LARGE,
        },
      ],
      { STORES: 'filesystem', BYTES_CACHE_BYTES: '1MiB', IMAGE_CACHE_ENTRIES: '100', MAX_OPEN_FILES: '16' },
    );
    await compare(
      [
        {
          name: 'bytes1MDatabase',
          about: `${stored.length} images of 1 MB from the database store alone`,
          of: stored,
          bytes: LARGE,
        },
      ],
      { STORES: 'database', BYTES_CACHE_BYTES: '1MiB' },
    );
    await compare(
      [
        {
          name: 'bytes50kAccel',
          about: `${HOT} images of 50 kB, sent by nginx for us`,
          of: small.slice(0, HOT),
          bytes: SMALL,
        },
        {
          name: 'bytes1MAccel',
          about: `${HOT} images of 1 MB, sent by nginx for us`,
          of: large.slice(0, HOT),
          bytes: LARGE,
        },
      ],
      { STORES: 'filesystem', DELIVERY: 'x-accel', TRUSTED_PROXIES: '127.0.0.1' },
      async ({ url }) =>
        startNginx({
          directory: path.join(directory, 'front'),
          site: await documentedSite(url, files),
        }),
    );
    return results;
  } finally {
    await nginx.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Measures the best that Node can do, against the same nginx: from memory, and by readFile and one `end`. The
 * product can come near to this, not to nginx.
 */
export async function benchPlainBytes(bench: Bench): Promise<ContestResult[]> {
  if (!isInstalled('nginx') || !isInstalled('wrk')) {
    process.stderr.write('plainBytes was skipped. Install: nginx, wrk.\n');
    return [];
  }
  const directory = path.join(bench.directory, 'plain');
  const files = path.join(directory, 'files');
  await mkdir(files, { recursive: true });
  for (const bytes of [SMALL, LARGE])
    for (let i = 0; i < HOT; i++) await writeFile(path.join(files, `${bytes}-${i}.png`), makePng(bytes));
  const nginx = await startNginx({ directory: path.join(directory, 'nginx'), site: fileSite(files) });
  const plain = await startServer(['bench/limits/plain-bytes.ts'], { directory, env: { FILES: files } });
  const results: ContestResult[] = [];
  try {
    for (const [name, mode, bytes] of [
      ['plain50kMemory', 'memory', SMALL],
      ['plain50kReadFile', 'read', SMALL],
      ['plain1MMemory', 'memory', LARGE],
      ['plain1MReadFile', 'read', LARGE],
    ] as const) {
      const names = Array.from({ length: HOT }, (_, i) => `${bytes}-${i}.png`);
      const side = ({ url, pid }: { url: URL; pid: number }, folder: string) => ({
        target: { url: new URL(url.origin), pid, headers: {} },
        paths: names.map((each) => `${folder}/${each}`),
      });
      const about = `${HOT} files of ${bytes} bytes by plain node:http, ${mode}`;
      const sides = { ours: side(plain, `/${mode}`), limit: side(nginx, '') };
      results.push(...(await runByLoaders(bench, { name, about, bytes, directory, ...sides })));
    }
    return results;
  } finally {
    await plain.stop();
    await nginx.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Side {
  readonly target: Target;
  readonly paths: readonly string[];
}

/**
 * Runs a contest with each load generator, because its cost decides the ratio: wrk reads 50 kB in less time
 * than Node sends them, a load generator in JavaScript takes longer than nginx.
 */
async function runByLoaders(
  bench: Bench,
  contest: { name: string; about: string; bytes: number; directory: string; ours: Side; limit: Side },
): Promise<ContestResult[]> {
  const { name, about, bytes, directory } = contest;
  const contestants: Record<BytesLoader, (side: Side) => Contestant> = {
    wrk: ({ target, paths }) => ({
      target,
      subjects: [],
      load: (options) => loadByWrk(target, paths, { ...options, answerBytes: bytes, directory }),
    }),
    node: ({ target, paths }) => ({
      target,
      subjects: paths.map((each) => ({ method: 'GET', path: each, answerBytes: bytes })),
    }),
  };
  const results: ContestResult[] = [];
  for (const loader of bench.bytesLoaders) {
    const contestant = contestants[loader];
    const result = await runContest(
      {
        name: `${name} ${loader}`,
        about: `${about}, loaded by ${loader}`,
        ours: contestant(contest.ours),
        limit: contestant(contest.limit),
      },
      bench.rules,
      bench.databasePid,
    );
    bench.report(result);
    results.push(result);
  }
  return results;
}

const ourPath = ({ uuid }: StoredFile) => `/images/${uuid}`;
const theirPath = ({ key }: StoredFile) => `/${key}`;

/**
 * Downloads every file once from both and compares them. With this first request the product verifies the
 * hash and records that.
 */
async function agreeOnBytes(
  name: string,
  targets: { ours: Target; limit: Target },
  files: readonly StoredFile[],
): Promise<void> {
  for (const file of files) {
    const [ours, limit] = await Promise.all([
      get(targets.ours, ourPath(file)),
      get(targets.limit, theirPath(file)),
    ]);
    if (ours.status !== 200 || limit.status !== 200 || !ours.body.equals(limit.body))
      throw new WrongResponse(
        `${name}: the bytes of ${file.key} differ: ours ${ours.status}, ${ours.body.length} bytes; the limit ${limit.status}, ${limit.body.length} bytes.`,
      );
  }
}

async function get(target: Target, at: string): Promise<{ status: number; body: Buffer }> {
  const response = await fetch(new URL(at, target.url), { headers: target.headers });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}
