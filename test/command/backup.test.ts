import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CRASH_TOKEN } from '../crash/client.ts';
import { MAIN, runCommand, type ServerProcess, startServer } from '../crash/server.ts';
import type { UploadImageMutation } from '../generated/graphql.ts';
import { makeDatabase, type Succeeded } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';

const PAGE = new URL('../../docs/backup.md', import.meta.url);

/** The n-th block of commands below a heading of docs/backup.md, run by a shell as an operator does. */
async function runFromDocs(heading: string, n: number, environment: Record<string, string>): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [, below = ''] = page.split(new RegExp(`^#+ ${heading}$`, 'm'));
  const section = below.split(/^#+ /m)[0] ?? '';
  const [, block] = [...section.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)][n] ?? [];
  if (!block) throw new Error(`docs/backup.md has no block ${n} below "${heading}".`);
  await promisify(execFile)('/bin/sh', ['-ec', block], {
    env: { PATH: process.env.PATH ?? '', ...environment },
  });
}

/** Runs the commands `npm run fixative -- …` of a block without npm. */
async function runFromDocsAs(heading: string, n: number, environment: Record<string, string>): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [, below = ''] = page.split(new RegExp(`^#+ ${heading}$`, 'm'));
  const [, block = ''] =
    [...(below.split(/^#+ /m)[0] ?? '').matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)][n] ?? [];
  const lines = [...block.matchAll(/^npm run fixative -- (.*)$/gm)];
  expect(lines.length).toBeGreaterThan(0);
  for (const [, line = ''] of lines) {
    const { code, out, log } = await runCommand(line.split(' '), environment);
    expect(code, out + log).toBe(0);
  }
}

describe('a backup as docs/backup.md says', () => {
  let directory: string;
  let server: ServerProcess | undefined;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-backup-'));
  });
  afterEach(async () => {
    await server?.kill();
    server = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  const settings = (more: Record<string, string>) => ({
    FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
    LOG_LEVEL: 'error',
    // A machine that is busy with other tests is no overload of the server's own.
    MAX_EVENT_LOOP_DELAY_MILLISECONDS: '60000',
    ...more,
  });

  async function upload(seed: number): Promise<string> {
    const picture = await makePicture({ width: 200, height: 200, seed });
    const response = await fetch(`${server?.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${CRASH_TOKEN}` },
      body: uploadForm({ content: picture }, { tags: ['kept', `tag-${seed}`], prompt: 'a prompt' }),
    });
    const { data, errors } = (await response.json()) as {
      data: Succeeded<UploadImageMutation>;
      errors?: unknown;
    };
    expect(errors).toBeUndefined();
    expect(data.uploadImage.userErrors).toEqual([]);
    return data.uploadImage.image?.sha256 ?? '';
  }

  /** Names of what the server has, by a tag. */
  async function listed(first = 20): Promise<string[]> {
    const nodes = await nodesOf(first);
    for (const { durability } of nodes) expect(durability).toBe('DURABLE');
    return nodes.map(({ sha256 }) => sha256).sort();
  }
  const listedNames = async () => (await nodesOf(20)).map(({ sha256 }) => sha256).sort();

  async function nodesOf(first: number): Promise<{ sha256: string; durability: string }[]> {
    const response = await fetch(`${server?.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${CRASH_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: `{ images(first: ${first}, filter: { tags: ["kept"] }) { nodes { sha256 durability } } }`,
      }),
    });
    const { data } = (await response.json()) as {
      data: { images: { nodes: { sha256: string; durability: string }[] } };
    };
    return data.images.nodes;
  }

  test.skipIf(process.env.TEST_DATABASE_URL)(
    'of the embedded database is opened in another place, whole',
    async () => {
      const [DATA_DIR, BACKUP] = [path.join(directory, 'data'), path.join(directory, 'backup.tar')];
      server = await startServer(settings({ DATA_DIR }));
      const kept = [await upload(95_000), await upload(95_001)].sort();
      expect(await server.stop()).toBe(0);
      await runFromDocs('With a stopped server', 0, { DATA_DIR, BACKUP });
      await rm(DATA_DIR, { recursive: true });

      const restored = path.join(directory, 'restored');
      await runFromDocs('With a stopped server', 1, { DATA_DIR: restored, BACKUP });
      const found = await runCommand(['verify'], settings({ DATA_DIR: restored }));
      expect(found.code, found.out + found.log).toBe(0);
      server = await startServer(settings({ DATA_DIR: restored }));
      expect(await listed()).toEqual(kept);
      await upload(95_002);
    },
    180_000,
  );

  describe.skipIf(process.env.TEST_DATABASE_URL)('of the embedded database while the server runs', () => {
    const backup = (more: Record<string, string>, ...args: string[]) =>
      runCommand(['backup', ...args], settings(more));
    const restore = (more: Record<string, string>, ...args: string[]) =>
      runCommand(['restore-backup', ...args], settings(more));
    const portOf = () => new URL(server?.url ?? '').port;

    test('brings back what was acknowledged before, after everything else is lost', async () => {
      const [DATA_DIR, file] = [path.join(directory, 'data'), path.join(directory, 'backup.tar.zst')];
      server = await startServer(settings({ DATA_DIR }));
      const kept = [await upload(95_100), await upload(95_101)];
      let isWriting = true;
      const later: string[] = [];
      const writing = (async () => {
        for (let seed = 95_110; isWriting; seed++) later.push(await upload(seed));
      })();
      const [one, two] = await Promise.all([
        backup({ DATA_DIR, PORT: portOf() }, file),
        backup({ DATA_DIR }, `${file}.2`, '--url', server.url),
      ]);
      isWriting = false;
      await writing;
      const codes = [one, two].map(({ code }) => code);
      expect(codes, one.log + two.log).toContain(0);
      for (const { code, log } of [one, two])
        if (code !== 0) expect(log).toContain('Another backup is being made');
      const newer = await upload(95_199);
      await server.stop();
      const whole = one.code === 0 ? file : `${file}.2`;
      // An older database beside newer files: they are kept in the quarantine.
      expect((await restore({ DATA_DIR }, whole)).log).toContain('Use --replace');
      expect(await restore({ DATA_DIR }, whole, '--replace')).toMatchObject({ code: 0 });
      const quarantine = ['restore', '--all', '--orphan-grace', '0', '--max-missing', '100'];
      const all = await runCommand(quarantine, settings({ DATA_DIR }));
      expect(all.code, all.out + all.log).toBe(0);
      const [moved = ''] = await filesBelow(DATA_DIR, newer);
      expect(moved).toContain(`${path.sep}quarantine${path.sep}`);
      expect((await readdir(DATA_DIR)).filter((name) => name.startsWith('database.replaced-'))).toHaveLength(
        1,
      );

      // Nothing is left but the backup.
      await rm(DATA_DIR, { recursive: true });
      expect(await restore({ DATA_DIR }, whole)).toMatchObject({ code: 0 });
      await runFromDocsAs('The embedded database', 2, settings({ DATA_DIR }));
      // An upload that was under way may have left bytes without a row, as after a kill.
      expect(await runCommand(quarantine, settings({ DATA_DIR }))).toMatchObject({ code: 0 });
      const verified = await runCommand(['verify'], settings({ DATA_DIR }));
      expect(verified.code, verified.out + verified.log).toBe(0);
      for (const sha256 of kept) {
        const [image = ''] = await filesBelow(DATA_DIR, sha256);
        expect(sha256Of(await readFile(image))).toBe(sha256);
      }
      server = await startServer(settings({ DATA_DIR }));
      const found = await listed(100);
      expect(found).toEqual(expect.arrayContaining(kept));
      expect(found.filter((sha256) => ![...kept, ...later].includes(sha256))).toEqual([]);
      await upload(95_200);
    }, 180_000);

    test('a damaged, cut or foreign file changes nothing', async () => {
      const [DATA_DIR, file] = [path.join(directory, 'data'), path.join(directory, 'backup.tar.zst')];
      server = await startServer(settings({ DATA_DIR }));
      const sha256 = await upload(95_300);
      await server.stop();
      expect(await backup({ DATA_DIR }, file)).toMatchObject({ code: 0 });
      const bytes = await readFile(file);
      const before = await readdir(path.join(DATA_DIR, 'database'), { recursive: true });
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      for (const wrong of [
        flipped,
        bytes.subarray(0, bytes.length - 2000),
        Buffer.from('no backup'),
        Buffer.alloc(0),
      ]) {
        await writeFile(file, wrong);
        const { code, log } = await restore({ DATA_DIR }, file, '--replace');
        expect([code, log]).toEqual([1, expect.stringContaining('The backup cannot be used')]);
      }
      expect((await restore({ DATA_DIR }, `${file}.none`, '--replace')).log).toContain('ENOENT');
      expect(await readdir(path.join(DATA_DIR, 'database'), { recursive: true })).toEqual(before);
      server = await startServer(settings({ DATA_DIR }));
      expect(await listed()).toEqual([sha256]);
      const refused = await restore({ DATA_DIR }, file, '--replace');
      expect([refused.code, refused.log]).toEqual([1, expect.stringContaining('is in use by')]);
    }, 180_000);

    test('a backup that is killed leaves no file, and a server that goes on', async () => {
      const [DATA_DIR, file] = [path.join(directory, 'data'), path.join(directory, 'backup.tar.zst')];
      server = await startServer(settings({ DATA_DIR }));
      await upload(95_400);
      const headers = { authorization: `Bearer ${CRASH_TOKEN}` };
      for (let i = 0; i < 3; i++) {
        const aborting = new AbortController();
        const response = await fetch(`${server.url}/api/backup`, { headers, signal: aborting.signal });
        expect(response.status).toBe(200);
        await response.body?.getReader().read();
        aborting.abort();
        await upload(95_401 + i);
      }
      expect((await fetch(`${server.url}/api/backup`)).status).toBe(401);
      // The command, and then the server, die in the middle.
      await writeFile(`${file}.partial`, 'the rest of a command that was killed');
      const broken = await fetch(`${server.url}/api/backup`, { headers });
      const reader = broken.body?.getReader();
      await reader?.read();
      await server.kill();
      await expect(
        (async () => {
          while (!(await reader?.read())?.done);
        })(),
      ).rejects.toThrow();
      server = await startServer(settings({ DATA_DIR }));
      expect(await listed()).toHaveLength(4);
      expect(await backup({ DATA_DIR, PORT: portOf() }, file)).toMatchObject({ code: 0 });
      expect((await readdir(directory)).filter((name) => name.includes('partial'))).toEqual([]);
    }, 180_000);

    test('a kill in a restore leaves a whole database', async () => {
      const [DATA_DIR, file] = [path.join(directory, 'data'), path.join(directory, 'backup.tar.zst')];
      server = await startServer(settings({ DATA_DIR }));
      const first = await upload(95_500);
      await server.stop();
      expect(await backup({ DATA_DIR }, file)).toMatchObject({ code: 0 });
      server = await startServer(settings({ DATA_DIR }));
      const second = await upload(95_501);
      await server.stop();
      for (const wait of [150, 300, 450, 600, 750, 900, 1200]) {
        const child = spawn(process.execPath, [MAIN, 'restore-backup', file, '--replace'], {
          env: { PATH: process.env.PATH ?? '', ...settings({ DATA_DIR }) },
        });
        await new Promise((resolve) => setTimeout(resolve, wait));
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('close', resolve));
        server = await startServer(settings({ DATA_DIR }));
        expect([[first], [first, second].sort()]).toContainEqual(await listedNames());
        await server.stop();
      }
      expect(await restore({ DATA_DIR }, file, '--replace')).toMatchObject({ code: 0 });
      server = await startServer(settings({ DATA_DIR }));
      expect(await listed()).toEqual([first]);
    }, 180_000);
  });

  test.runIf(process.env.TEST_DATABASE_URL)('the commands name pg_dump for PostgreSQL', async () => {
    const DATABASE_URL = process.env.TEST_DATABASE_URL ?? '';
    for (const command of ['backup', 'restore-backup']) {
      const { code, log } = await runCommand([command, 'x'], settings({ DATABASE_URL }));
      expect([code, log]).toEqual([2, expect.stringContaining('pg_dump')]);
    }
  });

  describe.runIf(process.env.TEST_DATABASE_URL)('on PostgreSQL', () => {
    test.each([
      ['PostgreSQL', false],
      ['Data alone', true],
    ])(
      '(%s) is restored whole, and written to',
      async (heading, isMigrated) => {
        const [from, to] = [await makeDatabase(), await makeDatabase()];
        const BACKUP = path.join(directory, 'backup');
        const DATA_DIR = path.join(directory, 'data');
        const before = settings({ DATA_DIR, DATABASE_URL: from?.url ?? '' });
        const after = settings({ DATA_DIR, DATABASE_URL: to?.url ?? '' });
        try {
          server = await startServer(before);
          const kept = [await upload(95_010), await upload(95_011)].sort();
          expect(await server.stop()).toBe(0);
          await runFromDocs(heading, 0, { DATABASE_URL: from?.url ?? '', BACKUP });
          if (isMigrated) expect((await runCommand(['migrate'], after)).code).toBe(0);
          await runFromDocs(heading, 1, { DATABASE_URL: to?.url ?? '', BACKUP });

          const found = await runCommand(['verify'], after);
          expect(found.code, found.out + found.log).toBe(0);
          server = await startServer(after);
          expect(await listed()).toEqual(kept);
          await upload(95_012);
          expect(await listed()).toHaveLength(3);
        } finally {
          await server?.kill();
          server = undefined;
          await from?.drop();
          await to?.drop();
        }
      },
      180_000,
    );

    test('alone is enough when every other thing is lost, and files that are newer go to quarantine', async () => {
      const [from, to] = [await makeDatabase(), await makeDatabase()];
      const BACKUP = path.join(directory, 'backup');
      const DATA_DIR = path.join(directory, 'data');
      const after = settings({ DATA_DIR, DATABASE_URL: to?.url ?? '' });
      try {
        server = await startServer(settings({ DATA_DIR, DATABASE_URL: from?.url ?? '' }));
        const kept = [await upload(95_020), await upload(95_021)].sort();
        await runFromDocs('PostgreSQL', 0, { DATABASE_URL: from?.url ?? '', BACKUP });
        const newer = await upload(95_022);
        expect(await server.stop()).toBe(0);

        // The directory of the store is newer than the dump.
        const files = await filesBelow(DATA_DIR, newer);
        expect(files).toHaveLength(1);
        await runFromDocs('PostgreSQL', 1, { DATABASE_URL: to?.url ?? '', BACKUP });
        const orphaned = await runCommand(['restore', '--all', '--orphan-grace', '0'], after);
        expect(orphaned.code, orphaned.out + orphaned.log).toBe(0);
        const moved = await filesBelow(DATA_DIR, newer);
        expect(moved).toHaveLength(1);
        expect(moved[0]).toContain(`${path.sep}quarantine${path.sep}`);
        expect(sha256Of(await readFile(moved[0] ?? ''))).toBe(newer);

        // Nothing is left but the database.
        await rm(DATA_DIR, { recursive: true });
        expect((await runCommand(['claim', 'filesystem'], after)).code).toBe(0);
        const refilled = await runCommand(['restore', '--all'], after);
        expect(refilled.code, refilled.out + refilled.log).toBe(0);
        const verified = await runCommand(['verify'], after);
        expect(verified.code, verified.out + verified.log).toBe(0);
        for (const sha256 of kept) {
          const [file = ''] = await filesBelow(DATA_DIR, sha256);
          expect(sha256Of(await readFile(file))).toBe(sha256);
        }
        server = await startServer(after);
        expect(await listed()).toEqual(kept);
      } finally {
        await server?.kill();
        server = undefined;
        await from?.drop();
        await to?.drop();
      }
    }, 180_000);
  });
});

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Files below a directory whose path has a hash in it. */
async function filesBelow(directory: string, sha256: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.includes(sha256)).map((name) => path.join(directory, name));
}
