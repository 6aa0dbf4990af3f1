import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CRASH_TOKEN } from '../crash/client.ts';
import { runCommand, type ServerProcess, startServer } from '../crash/server.ts';
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
  async function listed(): Promise<string[]> {
    const response = await fetch(`${server?.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${CRASH_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: '{ images(first: 20, filter: { tags: ["kept"] }) { nodes { sha256 durability } } }',
      }),
    });
    const { data } = (await response.json()) as {
      data: { images: { nodes: { sha256: string; durability: string }[] } };
    };
    for (const { durability } of data.images.nodes) expect(durability).toBe('DURABLE');
    return data.images.nodes.map(({ sha256 }) => sha256).sort();
  }

  test.skipIf(process.env.TEST_DATABASE_URL)(
    'of the embedded database is opened in another place, whole',
    async () => {
      const [DATA_DIR, BACKUP] = [path.join(directory, 'data'), path.join(directory, 'backup.tar')];
      server = await startServer(settings({ DATA_DIR }));
      const kept = [await upload(95_000), await upload(95_001)].sort();
      expect(await server.stop()).toBe(0);
      await runFromDocs('The embedded database', 0, { DATA_DIR, BACKUP });
      await rm(DATA_DIR, { recursive: true });

      const restored = path.join(directory, 'restored');
      await runFromDocs('The embedded database', 1, { DATA_DIR: restored, BACKUP });
      const found = await runCommand(['verify'], settings({ DATA_DIR: restored }));
      expect(found.code, found.out + found.log).toBe(0);
      server = await startServer(settings({ DATA_DIR: restored }));
      expect(await listed()).toEqual(kept);
      await upload(95_002);
    },
    180_000,
  );

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
