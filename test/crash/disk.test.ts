import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetch } from 'undici';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CreateUploadTargetDocument,
  ImagesDocument,
  UpdateImageDocument,
  type UploadImageMutation,
} from '../generated/graphql.ts';
import { type Succeeded, unpackTemplate } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';
import { askServer, CRASH_TOKEN, within } from './client.ts';
import { type ServerProcess, startServer } from './server.ts';

/** Numbers of the system. */
const EIO = 5;
const ENOSPC = 28;
const EROFS = 30;
const MIB = 1024 * 1024;
const SECONDS = 180;
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

const works = (command: string, args: readonly string[]) => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const canCompile = process.platform === 'linux' && works('gcc', ['--version']);
/** Whether file systems can be mounted here: as root, and not in every container. */
const canMount = works('/bin/sh', [
  '-c',
  'd=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs $d && umount $d',
]);

let directory: string;
let home: string;
let server: ServerProcess | undefined;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'fixative-disk-'));
  home = path.join(directory, 'data');
  await makeHome();
});
afterEach(async () => {
  await server?.kill();
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** A DATA_DIR whose database is there already: to make one takes longer than all the rest. */
async function makeHome(): Promise<void> {
  const database = path.join(home, 'database');
  await mkdir(database, { recursive: true });
  await unpackTemplate(database);
}

const settings = (more: Record<string, string> = {}) => ({
  DATA_DIR: home,
  FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
  LOG_FORMAT: 'json',
  LOG_LEVEL: 'warn',
  // A machine that is busy with other tests is no overload of the server's own.
  MAX_EVENT_LOOP_DELAY_MILLISECONDS: '60000',
  ...more,
});

async function upload(
  { url }: ServerProcess,
  seed: number,
): Promise<Succeeded<UploadImageMutation>['uploadImage']> {
  const picture = await makePicture({ width: 60, height: 60, seed });
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${CRASH_TOKEN}` },
    body: uploadForm({ content: picture }),
  });
  const { data, errors } = (await response.json()) as {
    data: Succeeded<UploadImageMutation>;
    errors?: unknown;
  };
  expect(errors).toBeUndefined();
  return data.uploadImage;
}

async function expectServed(
  { url }: ServerProcess,
  { image }: Succeeded<UploadImageMutation>['uploadImage'],
) {
  const response = await fetch(url + new URL(image?.url ?? '').pathname);
  expect(response.status).toBe(200);
  expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(image?.sha256);
}

const ready = async ({ url }: ServerProcess) => {
  const response = await fetch(`${url}/ready`);
  return { code: response.status, ...((await response.json()) as object) };
};

/** Neither where the server has its files, nor what the system calls a fault. */
function expectDiscreet(answer: unknown): void {
  expect(JSON.stringify(answer)).not.toMatch(/\/tmp|ENOSPC|EIO|EROFS|errno|No space left|Input\/output/);
}

const lines = ({ log }: ServerProcess) =>
  log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map(
      (line) => JSON.parse(line) as { msg: string; disk?: string; place?: string; err?: { message: string } },
    );

describe.skipIf(!canCompile || process.env.TEST_DATABASE_URL)('a disk that fails', () => {
  let library: string;
  beforeAll(() => {
    library = path.join(execFileSync('mktemp', ['-d']).toString().trim(), 'failing-disk.so');
    const source = fileURLToPath(new URL('failing-disk.c', import.meta.url));
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
    return () => rm(path.dirname(library), { recursive: true });
  });

  const faults = () => path.join(directory, 'faults');
  const failing = (more: Record<string, string> = {}) =>
    settings({ LD_PRELOAD: library, FAULTS: faults(), ...more });
  const fail = (number: number, part: string, kind = '') => writeFile(faults(), `${number} ${part} ${kind}`);
  const mend = () => rm(faults(), { force: true });

  test.each([
    ['a write of its log', EIO, '/pg_wal/', ''],
    ['a sync of its log', EIO, '/pg_wal/', 'sync'],
    ['a write of its log, for the disk is full,', ENOSPC, '/pg_wal/', ''],
    ['a write of its log, for the disk has become read-only,', EROFS, '/pg_wal/', ''],
  ])(
    'under %s ends the embedded database and the process, which says why and starts again',
    async (_what, number, part, kind) => {
      server = await startServer(failing());
      const kept = await upload(server, 90_000);
      await fail(number, part, kind);
      const asked = upload(server, 90_001).catch(() => null);
      expect(await server.ended).toBe(1);
      expect((await asked)?.image ?? null).toBeNull();
      const said = lines(server).find(({ msg }) => msg.includes('cannot go on'));
      expect(said?.msg, server.log()).toContain(path.join(home, 'database'));
      if (number === ENOSPC) expect(said?.msg).toContain('its disk is full');

      await mend();
      server = await startServer(failing());
      await expectServed(server, kept);
      expect((await upload(server, 90_001)).userErrors).toEqual([]);
      expect(await server.stop()).toBe(0);
      server = undefined;
    },
    SECONDS * 1000,
  );

  test(
    'under the sync of a checkpoint ends it too',
    async () => {
      server = await startServer(failing());
      const kept = await upload(server, 90_010);
      await fail(EIO, '/database/base/', 'sync');
      // Its end makes one.
      server.child.kill('SIGTERM');
      await server.ended;
      expect(server.child.signalCode).toBeNull();
      await mend();
      server = await startServer(failing());
      await expectServed(server, kept);
    },
    SECONDS * 1000,
  );

  test.each([
    [EIO, 'STORE_UNAVAILABLE', 'failing'],
    [EROFS, 'STORE_UNAVAILABLE', 'read-only'],
    [ENOSPC, 'NO_SPACE', 'full'],
  ] as const)(
    'of spool, uploads or a store (%i) is %s to the client, and all of it to the operator',
    async (number, code, disk) => {
      server = await startServer(failing({ HEAL_DELAY_SECONDS: '3600' }));
      const running = server;
      const kept = await upload(running, 90_020);
      for (const [part, place] of [
        ['/data/spool', 'spool'],
        ['/data/images', 'filesystem'],
      ] as const) {
        await fail(number, part);
        const refused = await upload(running, 90_021);
        expect(refused).toMatchObject({ image: null, userErrors: [{ code }] });
        expectDiscreet(refused);
        await expectServed(running, kept);
        expect(await ready(running)).toMatchObject({ code: 200, database: true, disk });
        await within(20, async () => {
          const said = lines(running).filter((line) => line.place === place);
          expect(said, running.log()).toMatchObject([{ disk }]);
          expect(said[0]?.err?.message).toContain(home);
        });
        await mend();
      }
      const picture = await makePicture({ width: 60, height: 60, seed: 90_022 });
      const { createUploadTarget: target } = await askServer(running, CreateUploadTargetDocument, {
        input: { filename: 'x.png', mimeType: 'image/png', bytes: picture.length, sha256: sha256(picture) },
      });
      await fail(number, '/data/uploads');
      const put = await fetch(target.target?.url ?? '', { method: 'PUT', body: picture });
      const answer = await put.json();
      expect([put.status, answer]).toEqual([
        code === 'NO_SPACE' ? 507 : 503,
        expect.objectContaining({ error: expect.objectContaining({ code }) }),
      ]);
      expectDiscreet(answer);
      await mend();
      expect((await upload(running, 90_021)).userErrors).toEqual([]);
    },
    SECONDS * 1000,
  );

  test(
    'under the tables of the embedded database refuses what is written there, and is used again',
    async () => {
      server = await startServer(failing({ STORES: 'database', MIN_FREE_BYTES: '1' }));
      const running = server;
      const kept = await upload(running, 90_030);
      await fail(ENOSPC, '/database/base/');
      // Until PostgreSQL has to make a table longer.
      let refused = kept;
      for (let seed = 90_031; refused.userErrors.length === 0 && seed < 90_080; seed++)
        refused = await upload(running, seed);
      expect(refused).toMatchObject({ image: null, userErrors: [{ code: 'NO_SPACE' }] });
      expectDiscreet(refused);
      await within(SECONDS, async () =>
        expect(lines(running)).toContainEqual(
          expect.objectContaining({ place: 'the embedded database', disk: 'full' }),
        ),
      );
      await mend();
      await expectServed(running, kept);
      expect((await upload(running, 90_090)).userErrors).toEqual([]);
    },
    SECONDS * 1000,
  );
});

describe.skipIf(!canMount || process.env.TEST_DATABASE_URL)('the disk of DATA_DIR', () => {
  let disk: string;
  beforeEach(async () => {
    disk = path.join(directory, 'disk');
    execFileSync('mkdir', [disk]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', disk]);
    home = path.join(disk, 'data');
    await makeHome();
  });
  afterEach(async () => {
    await server?.kill();
    execFileSync('umount', ['-l', disk]);
  });

  const filler = () => path.join(disk, 'filler');
  async function leave(bytes: number): Promise<void> {
    await rm(filler(), { force: true });
    const { bavail, bsize } = await statfs(disk);
    execFileSync('fallocate', ['-l', String(bavail * bsize - bytes), filler()]);
  }
  const update = (running: ServerProcess, id: string, tag: string) =>
    askServer(running, UpdateImageDocument, { input: { id, tags: [tag] } });

  test(
    'that runs full takes no images, then no writes at all, and serves on, also after a start',
    async () => {
      const environment = settings({ MIN_FREE_BYTES: '80 MiB' });
      server = await startServer(environment);
      let running = server;
      const kept = await upload(running, 91_000);
      const id = kept.image?.id ?? '';

      await leave(60 * MIB);
      await within(SECONDS, async () =>
        expect(await upload(running, 91_001)).toMatchObject({ userErrors: [{ code: 'NO_SPACE' }] }),
      );
      expect((await update(running, id, 'first')).updateImage.userErrors).toEqual([]);

      await leave(16 * MIB);
      let tag = 0;
      await within(SECONDS, async () => {
        const refused = await update(running, id, `tag-${tag++}`);
        expect(refused.updateImage.userErrors).toMatchObject([{ code: 'NO_SPACE' }]);
        expectDiscreet(refused);
      });
      const read = async () => (await askServer(running, ImagesDocument, { first: 1 })).images.edges.length;
      expect(await read()).toBe(1);
      await expectServed(running, kept);
      expect(await ready(running)).toMatchObject({ code: 200, disk: 'full' });
      await within(SECONDS, async () =>
        expect(lines(running).filter(({ msg }) => msg.includes('nearly full'))).toHaveLength(1),
      );

      expect(await running.stop()).toBe(0);
      server = await startServer(environment);
      running = server;
      expect(await read()).toBe(1);
      await expectServed(running, kept);
      expect((await update(running, id, 'never')).updateImage.userErrors).toMatchObject([
        { code: 'NO_SPACE' },
      ]);

      await rm(filler());
      await within(SECONDS, async () =>
        expect((await update(running, id, 'again')).updateImage.userErrors).toEqual([]),
      );
      expect((await upload(running, 91_001)).userErrors).toEqual([]);
      expect(await ready(running)).toMatchObject({ code: 200, disk: 'ok' });
    },
    SECONDS * 1000,
  );

  test.each(['full', 'read-only'])(
    'that is %s when a server starts is what it says, and nothing of a backup',
    async (kind) => {
      server = await startServer(settings());
      const kept = await upload(server, 91_010);
      await server.kill();
      if (kind === 'full') await leave(0);
      else execFileSync('mount', ['-o', 'remount,ro', disk]);
      const failed = await startServer(settings()).then(
        () => 'it started',
        (error: Error) => error.message,
      );
      expect(failed).toMatch(kind === 'full' ? /disk is full/ : /read-only/);
      expect(failed).not.toContain('backup');
      if (kind === 'full') await rm(filler());
      else execFileSync('mount', ['-o', 'remount,rw', disk]);
      server = await startServer(settings());
      await expectServed(server, kept);
      expect(await readFile(path.join(home, 'owner.json'), 'utf8')).toContain('pid');
    },
    SECONDS * 1000,
  );
});
