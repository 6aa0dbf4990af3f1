import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { TEMPLATE_FILE } from '../../src/database/pglite/template.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const TOKEN = 'a-token-for-the-command-line';

/** These run whole processes on the embedded database, whatever the other tests run on. */
describe('the command line', { timeout: 180_000 }, () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-command-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const start = (args: string[], environment: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, [MAIN, ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', PORT: '0', FIXATIVE_ROOT_TOKEN: TOKEN, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  async function run(args: string[], environment?: Record<string, string>) {
    const child = start(args, environment);
    const texts = { out: '', note: '' };
    child.stdout?.on('data', (chunk) => {
      texts.out += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      texts.note += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    return { code, ...texts };
  }

  /** Serves until `work` is done, then ends it as an operator does. */
  async function serving(work: (url: string, child: ChildProcess) => Promise<void>) {
    const child = start(['serve']);
    let out = '';
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout?.on('data', (chunk) => {
        out += chunk;
        const found = /GraphQL\s+(http:\S+)/.exec(out);
        if (found?.[1]) resolve(found[1]);
      });
      child.stderr?.on('data', (chunk) => {
        out += chunk;
      });
      child.once('close', () => reject(new Error(out)));
    });
    const closed = new Promise((resolve) => child.once('close', resolve));
    try {
      await work(url, child);
    } finally {
      child.kill('SIGTERM');
    }
    expect(await closed).toBe(0);
    return out;
  }

  const files = async () => {
    const root = path.join(directory, 'data', 'images');
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) => path.join(entry.parentPath, entry.name));
  };

  test('serves, verifies, and restores a file that was deleted', async () => {
    const uuids: string[] = [];
    await serving(async (url) => {
      for (const prompt of ['one', 'two']) {
        const response = await fetch(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            query: `mutation { generateImage(input: { prompt: "${prompt}", model: "sample", size: "64x64" }) { images { uuid url } } }`,
          }),
        });
        const { data } = (await response.json()) as {
          data: { generateImage: { images: { uuid: string; url: string }[] } };
        };
        uuids.push(...data.generateImage.images.map((image) => image.uuid));
      }
    });
    const right = await run(['verify']);
    expect(right).toMatchObject({ code: 0 });
    expect(right.out).toMatch(/filesystem +2 +0 +0/);
    expect(right.out).toMatch(/database +2 +0 +0/);

    const [file = ''] = await files();
    const before = await readFile(file);
    await rm(file);
    const missing = await run(['verify']);
    expect(missing.code).toBe(3);
    expect(missing.out).toMatch(/filesystem +1 +1 +0/);

    const json = await run(['verify', '--json']);
    const lines = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { type: 'bad', store: 'filesystem', state: 'MISSING' },
      {
        type: 'summary',
        copies: 4,
        of: 4,
        lost: [],
        stores: [
          { store: 'filesystem', right: 1, missing: 1 },
          { store: 'database', right: 2 },
        ],
      },
    ]);

    const restored = await run(['restore', '--all']);
    expect(restored).toMatchObject({ code: 0 });
    expect(restored.out).toMatch(/restored +blob \d+ into filesystem from database/);
    expect((await readFile(file)).equals(before)).toBe(true);

    await rm(file);
    const one = await run(['restore', ...uuids, '--json']);
    expect(one.code).toBe(0);
    expect(
      one.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .at(-1),
    ).toEqual({
      type: 'summary',
      dryRun: false,
      looked: 2,
      restored: 1,
      failed: 0,
      quarantined: 0,
      unreachable: [],
    });
    expect((await readFile(file)).equals(before)).toBe(true);
  });

  test('keeps a second process off the embedded database, and says which one has it', async () => {
    await serving(async (_url, child) => {
      const second = await run(['verify']);
      expect(second.code).toBe(1);
      expect(second.note).toContain(`in use by process ${child.pid}`);
    });
    // A lock is never left behind, not even by a process that was killed.
    const child = start(['serve']);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    expect((await run(['verify'])).code).toBe(0);
  });

  test('takes a signal that comes twice at once for one', async () => {
    // `serving` expects it to end with 0, and sends SIGTERM besides.
    await serving(async (_url, child) => {
      child.kill('SIGINT');
    });
  });

  test('migrates, and says whether the database is up to date', async () => {
    const environment = { DATA_DIR: path.join(directory, 'other') };
    // A new database has all of them. This is how it looks where the last one was interrupted.
    const database = await openPglite({
      directory: path.join(environment.DATA_DIR, 'database'),
      template: TEMPLATE_FILE,
    });
    await database.query(
      `UPDATE _prisma_migrations SET finished_at = NULL
       WHERE migration_name = (SELECT max(migration_name) FROM _prisma_migrations)`,
    );
    await database.close();
    const before = await run(['migrate', '--check'], environment);
    expect(before).toMatchObject({ code: 3, out: expect.stringContaining('not up to date') });
    const applied = await run(['migrate', '--json'], environment);
    expect(applied.code).toBe(0);
    expect(JSON.parse(applied.out)).toMatchObject({ current: true, pending: [] });
    expect(await run(['migrate', '--check'], environment)).toMatchObject({ code: 0 });
  });

  test('ends with 2 and a reason when it is used or set wrongly', async () => {
    const cases: [string[], Record<string, string>, RegExp][] = [
      [['serve'], { PORT: 'x' }, /PORT: expected a whole number/],
      [['restore'], {}, /uuids, or --filter, or --all/],
      [['restore', 'nonsense'], {}, /There is no image "nonsense"/],
      [['frobnicate'], {}, /frobnicate/],
      [['verify', '--store', 'tape'], {}, /There is no store "tape"\. Choose from: filesystem, database/],
      [['token', 'revoke', 'nonsense'], {}, /"nonsense" is not the id of a token/],
      [['serve'], { DEFAULT_MODEL: 'gpt-nothing' }, /Model "gpt-nothing" is unknown/],
    ];
    for (const [args, environment, reason] of cases) {
      const { code, note, out } = await run(args, environment);
      expect([code, out], args.join(' ')).toEqual([2, '']);
      expect(note).toMatch(reason);
      expect(note).not.toMatch(/^ {4}at /m);
    }
  });

  test('shows all commands when it is given none', async () => {
    const { code, out, note } = await run([]);
    expect([code, note]).toEqual([0, '']);
    for (const command of [
      'serve',
      'work',
      'migrate',
      'verify',
      'restore',
      'import',
      'export',
      'token',
      'claim',
    ])
      expect(out).toMatch(new RegExp(`^ +${command} `, 'm'));
  });

  test('says at once what a first start does, and how many migrations it applied', async () => {
    const environment = { DATA_DIR: path.join(directory, 'first'), PORT: '0' };
    for (const isFirst of [true, false]) {
      const child = start(['serve'], environment);
      let note = '';
      let out = '';
      let before = '';
      child.stderr?.on('data', (chunk) => {
        note += chunk;
      });
      await new Promise<void>((resolve) => {
        child.stdout?.on('data', (chunk) => {
          before ||= note;
          out += chunk;
          if (/Database .*\n/.test(out)) resolve();
        });
      });
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('close', resolve));
      expect(/Preparing the database \(first start\)/.test(before)).toBe(isFirst);
      // No migrations are reported: the installation has applied them to the template of the database.
      expect(out).toMatch(/Database +embedded, in \S+\n/);
    }
  });

  test('goes on, and shows no stack, when nobody reads what it writes', async () => {
    const child = start(['schema']);
    child.stdout?.destroy();
    let note = '';
    child.stderr?.on('data', (chunk) => {
      note += chunk;
    });
    expect([await new Promise((resolve) => child.once('close', resolve)), note]).toEqual([0, '']);
  });

  test('says that the port is taken', async () => {
    await serving(async (url) => {
      const { code, note } = await run(['serve'], {
        PORT: new URL(url).port,
        DATA_DIR: path.join(directory, 'third'),
      });
      expect([code, note]).toEqual([
        2,
        expect.stringContaining(`Port ${new URL(url).port} of 127.0.0.1 is taken`),
      ]);
    });
  });
});
