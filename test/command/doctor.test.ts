import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findingOfClock } from '../../src/app/doctor/database.ts';
import { makeChecks, readSettings } from '../../src/app/doctor/doctor.ts';
import { runDoctor } from '../../src/app/doctor/report.ts';
import { openDatabase } from '../../src/app/open-database.ts';
import { openTokens } from '../../src/auth/tokens.ts';
import { parseConfig } from '../../src/config.ts';
import type { Database } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { makeLog, makeScrubber } from '../../src/log.ts';
import { openGithubStandIn } from '../github-stand-in.ts';
import { makeDatabase, openTestApp, type TestDatabase } from '../harness.ts';
import { freePort } from '../postgresql.ts';
import { openS3Server, s3Settings } from '../s3-server.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const log = makeLog({ level: 'silent', format: 'json', colorize: false });
const options = {
  log,
  processId: process.pid,
  onEnd: (reason: string): never => {
    throw new Error(reason);
  },
};

/** Findings on the PostgreSQL of the tests, which does not flush to the disk, for speed. */
const UNSAFE = /^(fsync|full_page_writes) of PostgreSQL is off/;

interface Line {
  readonly type: string;
  readonly check: string;
  readonly state: string;
  readonly found: string;
  readonly remedy: string | null;
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'fixative-doctor-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Runs `doctor`. Returns its findings by the name of the check, and everything it printed. */
async function examine(environment: Record<string, string>, seconds = 20) {
  const settings = readSettings({ DATA_DIR: directory, ...environment }, directory);
  const { checks, close } = makeChecks(settings, options);
  const removeSecrets = makeScrubber(settings.config?.secrets ?? []);
  const lines: string[] = [];
  const terminal = { out: (text: string) => void lines.push(text), note: () => {}, interactive: false };
  const code = await runDoctor(checks, { json: true, seconds, removeSecrets }, terminal).finally(close);
  const findings = lines.map((line) => JSON.parse(line) as Line).filter(({ type }) => type === 'finding');
  return {
    code,
    /** Everything that was printed. */
    text: lines.join(''),
    of: (check: string) => findings.filter((each) => each.check === check),
    stateOf: (check: string) => findings.filter((each) => each.check === check).map(({ state }) => state),
    errors: findings
      .filter(({ state, found }) => state === 'error' && !UNSAFE.test(found))
      .map(({ found }) => found),
  };
}

async function listen(handler: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('settings', () => {
  test('of a fresh directory are right, and nothing is written', async () => {
    const { code, of, stateOf } = await examine({});
    expect(code).toBe(0);
    expect(of('settings')).toMatchObject([{ state: 'ok' }]);
    expect(stateOf('store filesystem')).toEqual(['ok']);
    expect(stateOf('database')).toEqual(['skipped']);
    expect(await readdir(directory)).toEqual([]);
  });

  test('that are wrong are all named, and the rest is checked without them', async () => {
    const { code, of, stateOf, text } = await examine({
      PORT: 'many',
      DATABASE_URL: 'mysql://u:secret-of-the-database@localhost/x',
      TRASH_DAYS: '-1',
      S3_BUKCET: 'images',
    });
    expect(code).toBe(3);
    const found = of('settings').map((each) => `${each.state} ${each.found}`);
    expect(found).toEqual([
      expect.stringMatching(/^error PORT: expected a whole number/),
      expect.stringMatching(/^error DATABASE_URL: expected a URL/),
      expect.stringMatching(/^error TRASH_DAYS: /),
      expect.stringMatching(/^warning S3_BUKCET is not a setting.*S3_BUCKET/),
    ]);
    // With its default, the database would be another one.
    expect(stateOf('database')).toEqual(['skipped']);
    expect(of('database')[0]?.found).toMatch(/DATABASE_URL is not valid/);
    expect(stateOf('DATA_DIR')).toEqual(['ok']);
    expect(text).not.toContain('secret-of-the-database');
  });

  test('that cannot be read without one another leave the rest unchecked', async () => {
    const { code, of } = await examine({ STORES: 'filesystem,s3' });
    expect(code).toBe(3);
    expect(of('settings')[0]?.found).toMatch(/^S3_BUCKET: expected a name/);
    expect(of('the rest')).toMatchObject([{ state: 'skipped' }]);
  });

  test.each([
    [{ STORES: 'database' }, /one store/],
    [{ STORES: 'filesystem,memory' }, /memory/],
    [{ HOST: '0.0.0.0' }, /PUBLIC_URL is not set/],
    [{ PUBLIC_URL: 'http://images.invalid' }, /unencrypted/],
    [{ PUBLIC_URL: 'https://images.invalid' }, /TRUSTED_PROXIES is not set/],
    [{ TRUSTED_PROXIES: '0.0.0.0/0' }, /trusts every address/],
    [{ OPERATION_TIMEOUT_SECONDS: '60' }, /generateImage may wait 120/],
    [{ DELIVERY: 'redirect' }, /neither s3 nor github/],
    [{ DELIVERY: 'x-accel', STORES: 'database,memory' }, /lacks filesystem/],
  ])('%j is a contradiction', (environment, words) => {
    const { findings } = readSettings({ DATA_DIR: directory, ...environment }, directory);
    const found = findings.filter(({ state }) => state === 'warning');
    expect(found.map((each) => each.found)).toContainEqual(expect.stringMatching(words));
    expect(found.every(({ remedy }) => remedy !== null)).toBe(true);
  });
});

describe('disks', () => {
  test('a path that is no directory, and one in which nothing can be written, are errors', async () => {
    const file = path.join(directory, 'file');
    await writeFile(file, '');
    expect((await examine({ DATA_DIR: file })).of('DATA_DIR')[0]).toMatchObject({
      state: 'error',
      found: expect.stringMatching(/is not a directory/),
    });
    expect((await examine({ DATA_DIR: path.join(file, 'below') })).stateOf('DATA_DIR')).toContain('error');
    // Not even root can write there.
    if (!existsSync('/proc/self')) return;
    const { code, of } = await examine({ GENERATED_IMAGE_DIR: '/proc' });
    expect(code).toBe(3);
    expect(of('GENERATED_IMAGE_DIR')).toMatchObject([{ state: 'error', remedy: expect.any(String) }]);
  });

  test('a directory that can be written keeps no trace of the check', async () => {
    await mkdir(path.join(directory, 'images'));
    const { stateOf } = await examine({});
    expect(stateOf('DATA_DIR')).toEqual(['ok']);
    expect(stateOf('GENERATED_IMAGE_DIR')).toEqual(['ok']);
    expect(await readdir(directory, { recursive: true })).toEqual(['images']);
  });

  test('too little space is an error, and a secret that others can read is a warning', async () => {
    await writeFile(path.join(directory, 'root-token'), 'fx_0123456789\n');
    await chmod(path.join(directory, 'root-token'), 0o644);
    const { of, text } = await examine({ MIN_FREE_BYTES: '900000 GB' });
    expect(of('free space')[0]).toMatchObject({
      state: 'error',
      found: expect.stringMatching(/MIN_FREE_BYTES/),
    });
    expect(of('DATA_DIR').map(({ state }) => state)).toEqual(['ok', 'warning']);
    expect(text).not.toContain('fx_0123456789');
  });
});

describe('the database', () => {
  let database: TestDatabase | null;
  let environment: Record<string, string>;
  beforeEach(async () => {
    database = await makeDatabase();
    environment = database ? { DATABASE_URL: database.url } : {};
  });
  afterEach(() => database?.drop());

  /** Opens the database of the settings, up to date, for as long as `work` runs. */
  async function prepared(work: (database: Database) => Promise<unknown>): Promise<void> {
    const config = parseConfig({ DATA_DIR: directory, ...environment }, directory);
    const opened = await openDatabase(config, options);
    try {
      await migrate(opened.database);
      await work(opened.database);
    } finally {
      await opened.release();
    }
  }

  test('that is up to date is right; pending, changed and unknown migrations are found', async () => {
    await prepared(async () => {});
    const right = await examine(environment);
    expect(right.errors).toEqual([]);
    const unsafe = right.of('database').filter(({ found }) => UNSAFE.test(found));
    expect(right.of('database').length - unsafe.length + (unsafe.length > 0 ? 1 : 0)).toBe(1);
    expect(unsafe.every(({ remedy }) => / = on in postgresql\.conf/.test(remedy ?? ''))).toBe(true);
    expect(right.stateOf('migrations')).toEqual(['ok']);
    if (database) {
      expect(right.stateOf('rights in the database')).toEqual(['ok']);
      expect(right.stateOf('clock')).toEqual(['ok']);
    }
    await prepared((db) =>
      db.query(
        `WITH last AS (SELECT max(migration_name) AS name FROM _prisma_migrations)
         DELETE FROM _prisma_migrations USING last WHERE migration_name = last.name`,
      ),
    );
    const pending = await examine(environment);
    expect(pending.errors).toEqual([]);
    expect(pending.of('migrations')).toMatchObject([
      { state: 'warning', found: expect.stringMatching(/^1 migrations are pending/) },
    ]);
  });

  test('of a later version is an error', async () => {
    await prepared((db) =>
      db.query(
        `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name)
         VALUES (gen_random_uuid()::text, 'x', now(), '29990101000000_later')`,
      ),
    );
    const { code, of } = await examine(environment);
    expect(code).toBe(3);
    expect(of('migrations')[0]).toMatchObject({
      state: 'error',
      found: expect.stringMatching(/29990101000000_later/),
    });
  });

  test('knows whether the directory of the images is the right one', async () => {
    const images = path.join(directory, 'images');
    const marker = path.join(images, '.fixative-store');
    const id = '0e984725-c51c-4bf4-9960-e1c80e27aba0';
    await mkdir(images, { recursive: true });
    await writeFile(marker, `${JSON.stringify({ store: 'filesystem', id })}\n`);
    await prepared(async (db) => {
      await db.query(`INSERT INTO shared_values (name, value) VALUES ('directory of filesystem', $1)`, [id]);
      await db.query(
        `WITH blob AS (INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash) VALUES (repeat('a', 64), 1, 'image/png', 1, 1, '') RETURNING id)
         INSERT INTO copies (blob_id, store, key, state) SELECT id, 'filesystem', 'aa/aa/a.png', 'STORED' FROM blob`,
      );
    });
    expect((await examine(environment)).stateOf('store filesystem')).toEqual(['ok']);

    await writeFile(marker, `${JSON.stringify({ store: 'filesystem', id: id.replace('0', '1') })}\n`);
    const other = await examine(environment);
    expect(other.code).toBe(3);
    expect(other.of('store filesystem')[0]?.found).toMatch(/is not the one/);

    await unlink(marker);
    const unmounted = await examine(environment);
    expect(unmounted.of('store filesystem')[0]).toMatchObject({
      state: 'error',
      found: expect.stringMatching(/has no \.fixative-store/),
    });
    expect(existsSync(marker)).toBe(false);
  });

  test('that cannot be reached is an error without its password', async () => {
    const { code, of, text } = await examine({
      DATABASE_URL: 'postgresql://fixative:pass-word-of-it@127.0.0.1:1/fixative',
    });
    expect(code).toBe(3);
    expect(of('database')[0]).toMatchObject({
      state: 'error',
      found: expect.stringMatching(/127\.0\.0\.1:1/),
    });
    expect(text).not.toContain('pass-word-of-it');
  });

  test.runIf(process.env.TEST_DATABASE_URL)('a role that lacks rights is told which', async () => {
    const role = `doctor_${path.basename(directory).replace(/\W/g, '_').toLowerCase()}`;
    await prepared((db) => db.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`));
    try {
      const url = new URL(database?.url ?? '');
      url.username = role;
      url.password = 'p';
      const { code, of, errors } = await examine({ DATABASE_URL: url.href });
      expect(code).toBe(3);
      expect(errors).toContainEqual(expect.stringMatching(/lacks the right CREATE in the schema public/));
      expect(errors).toContainEqual(expect.stringMatching(/lacks the right to change the table .*copies/));
      expect(of('rights in the database').at(-1)?.found).toMatch(/belong to another role/);
    } finally {
      await prepared((db) => db.query(`DROP ROLE ${role}`));
    }
  });
});

test.each([
  [0, 5, 'ok'],
  [1999, 0, 'ok'],
  [-2100, 0, 'warning'],
  [2100, 2000, 'ok'],
  [61_000, 100, 'error'],
  [-61_000, 100, 'error'],
])('a clock that differs by %i ms, known within %i ms, is %s', (offset, uncertainty, state) => {
  expect(findingOfClock(offset, uncertainty).state).toBe(state);
});

describe('addresses', () => {
  test('PUBLIC_URL must answer, be this server, and name its proxy', async () => {
    const app = await openTestApp({ SIGNING_KEYS: 'a-key-of-at-least-32-characters-0001' });
    const port = String(new URL(app.url).port);
    const mine = {
      DATA_DIR: app.directory,
      PORT: port,
      SIGNING_KEYS: 'a-key-of-at-least-32-characters-0001',
      ...(app.config.databaseUrl ? { DATABASE_URL: app.config.databaseUrl } : {}),
    };
    const proxy = await listen((request, response) => {
      void app.fetch(request.url ?? '', { method: request.method ?? 'GET' }).then(async (answer) => {
        response.writeHead(answer.status, { server: 'nginx', 'content-type': 'application/json' });
        response.end(await answer.text());
      });
    });
    const stranger = await listen((_, response) => response.end('<html>Welcome</html>'));
    try {
      const right = await examine({ ...mine, PUBLIC_URL: app.url });
      expect(right.errors).toEqual([]);
      expect(right.of('PUBLIC_URL')).toMatchObject([
        { state: 'ok', found: expect.stringMatching(/^This server/) },
      ]);
      // The embedded database belongs to the server that runs.
      if (!app.config.databaseUrl) {
        expect(right.of('database')[0]).toMatchObject({
          state: 'skipped',
          found: expect.stringMatching(/in use/),
        });
        expect(right.stateOf('migrations')).toEqual(['skipped']);
      }

      const others = await examine({
        ...mine,
        PUBLIC_URL: app.url,
        SIGNING_KEYS: 'another-key-with-32-characters-0002',
      });
      expect(others.of('PUBLIC_URL')[0]).toMatchObject({
        state: 'error',
        found: expect.stringMatching(/another key/),
      });

      const proxied = await examine({ ...mine, PUBLIC_URL: proxy.url });
      expect(proxied.of('PUBLIC_URL').map(({ state }) => state)).toEqual(['ok', 'warning']);
      expect(proxied.of('PUBLIC_URL')[1]?.remedy).toMatch(/TRUSTED_PROXIES/);
      const trusted = await examine({ ...mine, PUBLIC_URL: proxy.url, TRUSTED_PROXIES: '127.0.0.1' });
      expect(trusted.stateOf('PUBLIC_URL')).toEqual(['ok']);

      const wrong = await examine({ ...mine, PUBLIC_URL: stranger.url });
      expect(wrong.of('PUBLIC_URL')[0]?.found).toMatch(/not answered by Fixative/);
      const nowhere = await freePort();
      const away = await examine({ ...mine, PUBLIC_URL: `http://127.0.0.1:${nowhere}` });
      expect(away.of('PUBLIC_URL')[0]).toMatchObject({
        state: 'error',
        found: expect.stringMatching(/ECONNREFUSED/),
      });
      const stopped = await examine({
        ...mine,
        PORT: String(nowhere),
        PUBLIC_URL: `http://127.0.0.1:${nowhere}`,
      });
      expect(stopped.stateOf('PUBLIC_URL')).toEqual(['skipped']);
    } finally {
      proxy.server.close();
      stranger.server.close();
      await app.close();
    }
  });
});

describe('access', () => {
  test('a server that others can reach needs a way to log in', async () => {
    const open = { HOST: '0.0.0.0', PUBLIC_URL: 'https://images.invalid', TRUSTED_PROXIES: '10.0.0.1' };
    const { code, of } = await examine(open);
    expect(code).toBe(3);
    expect(of('login')).toMatchObject([{ state: 'error', remedy: expect.stringMatching(/token create/) }]);
    expect((await examine({ ...open, AUTH_JWT_SECRET: 'x'.repeat(40) })).stateOf('login')).toEqual(['ok']);

    const config = parseConfig({ DATA_DIR: directory }, directory);
    const { database, release } = await openDatabase(config, options);
    await migrate(database);
    const tokens = openTokens(database, log);
    await tokens.create({ name: 'a shop', userId: null, scopes: ['images:read'], expiresAt: null });
    tokens.close();
    await release();
    expect((await examine(open)).of('login')).toMatchObject([
      { state: 'ok', found: expect.stringMatching(/API tokens/) },
    ]);
  });

  test('the keys of the identity provider and the persisted operations must be readable', async () => {
    let keys = '{"keys":[{"kty":"RSA"}]}';
    const provider = await listen((_, response) => response.end(keys));
    const file = path.join(directory, 'operations.json');
    const environment = {
      AUTH_JWKS_URL: `${provider.url}/keys`,
      AUTH_JWT_ISSUER: 'https://id.example.com',
      AUTH_JWT_AUDIENCE: 'fixative',
      PERSISTED_OPERATIONS: 'only',
      PERSISTED_OPERATIONS_FILE: file,
    };
    try {
      const document = '{ viewer { userId } }';
      const hash = createHash('sha256').update(document).digest('hex');
      await writeFile(file, JSON.stringify({ [hash]: document }));
      const right = await examine(environment);
      expect(right.errors).toEqual([]);
      expect(right.stateOf('AUTH_JWKS_URL')).toEqual(['ok']);
      expect(right.of('persisted operations')[0]?.found).toMatch(/has 1 operations/);
      keys = '<html>';
      await writeFile(file, JSON.stringify({ [hash]: '{ viewer { scopes } }' }));
      const wrong = await examine(environment);
      expect(wrong.of('AUTH_JWKS_URL')[0]).toMatchObject({
        state: 'error',
        found: expect.stringMatching(/without a JSON Web Key Set/),
      });
      expect(wrong.of('persisted operations')[0]?.found).toMatch(/is not the SHA-256 of its document/);
    } finally {
      provider.server.close();
    }
  });
});

describe('the store s3', () => {
  let server: Awaited<ReturnType<typeof openS3Server>>;
  let environment: Record<string, string>;
  beforeEach(async () => {
    server = await openS3Server();
    environment = { STORES: 'filesystem,s3', ...s3Settings(server), PUBLIC_URL: 'http://127.0.0.1:1' };
  });
  afterEach(() => server.close());

  test('allows all that a store needs, and the check leaves nothing', async () => {
    server.allowOrigins(['http://127.0.0.1:1', 'https://app.example.com']);
    const { errors, stateOf, text } = await examine({
      ...environment,
      CORS_ORIGINS: 'https://app.example.com',
    });
    expect(errors).toEqual([]);
    expect(stateOf('store s3')).toEqual(['ok']);
    expect(stateOf('uploads to s3')).toEqual(['ok']);
    const keys = server.requests.filter(({ method }) => method === 'PUT').map(({ path: target }) => target);
    expect(keys.every((key) => key.startsWith('/images/.uploads/'))).toBe(true);
    const deleted = server.requests.filter(({ method }) => method === 'DELETE');
    expect(deleted.map(({ path: target }) => target.split('?')[0])).toEqual([keys[0]?.split('?')[0]]);
    expect(text).not.toContain(server.credentials.secretAccessKey);
  });

  test('a wrong secret, a missing bucket, a refused right and a missing CORS rule are told apart', async () => {
    process.env.AWS_SECRET_ACCESS_KEY = 'a-wrong-secret-of-the-test';
    const wrong = await examine(environment);
    expect(wrong.code).toBe(3);
    expect(wrong.of('store s3')[0]?.found).toMatch(/AWS_SECRET_ACCESS_KEY|credentials/);
    expect(wrong.text).not.toContain('a-wrong-secret-of-the-test');
    process.env.AWS_SECRET_ACCESS_KEY = server.credentials.secretAccessKey;

    const missing = await examine({ ...environment, S3_BUCKET: 'nowhere' });
    expect(missing.of('store s3')[0]?.found).toMatch(/bucket/);

    server.failNext('not-implemented', 1, 'DELETE');
    const kept = await examine(environment);
    expect(kept.of('store s3')).toMatchObject([
      { state: 'error', found: expect.stringMatching(/could not delete/) },
    ]);
    expect(kept.of('uploads to s3')[0]).toMatchObject({
      state: 'warning',
      remedy: expect.stringMatching(/"AllowedMethods":\["PUT"\]/),
    });
  });

  test('that does not answer is given up after the time limit', async () => {
    server.failNext('hang', 20);
    const started = performance.now();
    const { code, of } = await examine(environment, 1);
    expect(code).toBe(3);
    expect(of('store s3')[0]?.found).toMatch(/no answer after 1 seconds/);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('the store github', () => {
  let standIn: Awaited<ReturnType<typeof openGithubStandIn>>;
  beforeAll(async () => {
    standIn = await openGithubStandIn({ private: false });
  });
  afterAll(() => standIn.close());
  const settings = () => ({
    STORES: 'filesystem,github',
    MAX_UPLOAD_BYTES: '50 MiB',
    GITHUB_TOKEN: standIn.token,
    GITHUB_REPOSITORY: standIn.repository,
    GITHUB_BRANCH: standIn.branch,
    GITHUB_API_URL: standIn.apiUrl,
  });

  test('can be written to, and the branch stays as it was', async () => {
    const before = (await standIn.git('rev-parse', standIn.branch)).toString();
    const { errors, of } = await examine(settings());
    expect(errors).toEqual([]);
    expect(of('store github')).toMatchObject([
      { state: 'ok', found: expect.stringMatching(/4999 requests/) },
    ]);
    expect((await standIn.git('rev-parse', standIn.branch)).toString()).toBe(before);
  });

  test('a wrong token or branch, a missing right, a low rate and an open repository are told apart', async () => {
    const wrong = await examine({ ...settings(), GITHUB_TOKEN: 'github_pat_wrong-0123456789' });
    expect(wrong.of('store github')[0]?.found).toMatch(/does not accept the token/);
    expect(wrong.text).not.toContain('github_pat_wrong-0123456789');

    const branch = await examine({ ...settings(), GITHUB_BRANCH: 'gone' });
    expect(branch.of('store github')[0]?.found).toMatch(/no branch gone/);

    standIn.failNext(/POST .*blobs/, {
      status: 403,
      message: 'Resource not accessible by personal access token',
    });
    const reader = await examine(settings());
    expect(reader.of('store github')[0]).toMatchObject({
      state: 'error',
      remedy: expect.stringMatching(/Contents/),
    });

    standIn.failNext(/GET \/repos\/[^/]+\/[^/]+$/, {
      status: 403,
      message: 'API rate limit exceeded',
      headers: {
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 1800),
      },
    });
    expect((await examine(settings())).of('store github')[0]?.state).toBe('warning');

    const open = await examine({ ...settings(), DEFAULT_VISIBILITY: 'private' });
    expect(open.of('store github')[0]?.found).toMatch(/is public/);
  });
});

describe('providers', () => {
  /** Each provider has its own way to send the key, and its own answer to a wrong one. */
  const KEY = 'a-right-key-0123456789';
  let api: { server: Server; url: string };
  const asked: string[] = [];
  beforeAll(async () => {
    api = await listen((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://localhost');
      asked.push(`${request.method} ${pathname}`);
      const { headers } = request;
      const keys: Record<string, string | string[] | undefined> = {
        '/google/models': headers['x-goog-api-key'],
        '/bfl/credits': headers['x-key'],
        '/azure/models': headers['api-key'],
      };
      const key = keys[pathname] ?? headers.authorization?.replace(/^Bearer /, '');
      if (pathname === '/busy/models') return void response.writeHead(503).end();
      if (pathname === '/plain/models') return void response.writeHead(404).end();
      if (pathname === '/moved/models') return void response.writeHead(302, { location: '/elsewhere' }).end();
      if (key === 'restricted-key-0123456789') return void response.writeHead(403).end();
      if (key === KEY) return void response.writeHead(200).end('{"data":[]}');
      if (pathname.startsWith('/google'))
        return void response.writeHead(400).end('{"error":{"message":"API key not valid."}}');
      response.writeHead(401).end(JSON.stringify({ error: { message: `Incorrect API key: ${key}` } }));
    });
  });
  afterAll(() => void api.server.close());

  const all = (key: string) => ({
    OPENAI_API_KEY: key,
    OPENAI_BASE_URL: `${api.url}/openai`,
    GEMINI_API_KEY: key,
    GEMINI_BASE_URL: `${api.url}/google`,
    XAI_API_KEY: key,
    XAI_BASE_URL: `${api.url}/xai`,
    BFL_API_KEY: key,
    BFL_BASE_URL: `${api.url}/bfl`,
    FAL_KEY: key,
    REPLICATE_API_TOKEN: key,
    REPLICATE_BASE_URL: `${api.url}/replicate`,
    AZURE_OPENAI_API_KEY: key,
    AZURE_OPENAI_BASE_URL: `${api.url}/azure`,
    AZURE_OPENAI_DEPLOYMENTS: 'pictures=gpt-image-1',
    OPENAI_COMPATIBLE_BASE_URL: `${api.url}/compatible`,
    OPENAI_COMPATIBLE_MODELS: 'local',
    OPENAI_COMPATIBLE_API_KEY: key,
  });
  const NAMES = ['openai', 'google', 'xai', 'bfl', 'replicate', 'azure', 'openai-compatible'];

  test('accept the right key, refuse a wrong one, and are asked for nothing that costs', async () => {
    const right = await examine(all(KEY));
    for (const name of NAMES) expect(right.stateOf(`provider ${name}`), name).toEqual(['ok']);
    expect(right.stateOf('provider fal')).toEqual(['skipped']);
    const wrong = await examine(all('a-wrong-key-0123456789'));
    expect(wrong.code).toBe(3);
    for (const name of NAMES) expect(wrong.stateOf(`provider ${name}`), name).toEqual(['error']);
    expect(right.text + wrong.text).not.toMatch(/a-(right|wrong)-key/);
    expect(asked.every((request) => /^GET \/[\w-]+\/(models|credits|account)$/.test(request))).toBe(true);
  });

  test('that cannot be judged are not called broken', async () => {
    const { of } = await examine({
      OPENAI_API_KEY: 'restricted-key-0123456789',
      OPENAI_BASE_URL: `${api.url}/openai`,
      XAI_API_KEY: KEY,
      XAI_BASE_URL: `${api.url}/busy`,
      AZURE_OPENAI_API_KEY: KEY,
      AZURE_OPENAI_BASE_URL: `${api.url}/moved`,
      AZURE_OPENAI_DEPLOYMENTS: 'pictures=gpt-image-1',
      OPENAI_COMPATIBLE_BASE_URL: `${api.url}/plain`,
      OPENAI_COMPATIBLE_MODELS: 'local',
      REPLICATE_API_TOKEN: KEY,
      REPLICATE_BASE_URL: `http://127.0.0.1:${await freePort()}`,
    });
    const stateOf = (name: string) => of(`provider ${name}`)[0]?.state;
    expect(['openai', 'xai', 'azure', 'openai-compatible', 'replicate'].map(stateOf)).toEqual([
      'warning',
      'warning',
      'error',
      'skipped',
      'error',
    ]);
    expect(of('provider replicate')[0]?.found).toMatch(/cannot be reached.*ECONNREFUSED/);
  });
});

test('the command prints findings with what to do, and exits with 3 for an error', async () => {
  const run = (args: string[], environment: Record<string, string>) =>
    promisify(execFile)(process.execPath, [MAIN, 'doctor', ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', ...environment },
    }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => error,
    );
  const broken = await run([], { PORT: 'x' });
  expect(broken.code).toBe(3);
  expect(broken.stdout).toMatch(/^error +settings +PORT: expected a whole number.*\n +To do: Correct it/);
  const right = await run(['--json'], {});
  expect(right.code).toBe(0);
  const last = JSON.parse(right.stdout.trim().split('\n').at(-1) ?? '');
  expect(last).toMatchObject({ type: 'summary', error: 0, warning: 0 });
});
