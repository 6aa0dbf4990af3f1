import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import { FormData, fetch } from 'undici';
import { expect, test } from 'vitest';
import { keyOf } from '../../src/storage/blob.ts';
import { UploadImageDocument, type UploadImageMutation } from '../generated/graphql.ts';
import { makeDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { runCommand, type ServerProcess, startServer } from './server.ts';

/** How often the server is killed; `CRASH_KILLS=100 npx vitest run test/crash` for a long look. */
const KILLS = Number(process.env.CRASH_KILLS ?? 4);
const TOKEN = 'crash-test-token-0123456789';
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

interface Acknowledged {
  readonly url: string;
  readonly sha256: string;
}

test(`what was acknowledged survives ${KILLS} kills at random moments, and nothing is left behind`, {
  timeout: 60_000 + KILLS * 30_000,
}, async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-crash-'));
  const database = await makeDatabase();
  const environment = {
    DATA_DIR: directory,
    FIXATIVE_ROOT_TOKEN: TOKEN,
    LOG_LEVEL: 'error',
    ...(database ? { DATABASE_URL: database.url } : {}),
  };
  const acknowledged: Acknowledged[] = [];
  let seed = 70_000;

  /** Uploads and generates until the server is gone. */
  async function client(server: ServerProcess): Promise<void> {
    for (let i = 0; ; i++) {
      try {
        acknowledged.push(
          ...(await (i % 3 === 2 ? generate(server.url, `crash ${seed++}`) : upload(server.url, seed++))),
        );
      } catch {
        if (server.child.exitCode !== null || server.child.signalCode !== null) return;
      }
    }
  }

  async function check(url: string): Promise<void> {
    for (const image of acknowledged) {
      const response = await fetch(url + new URL(image.url).pathname);
      expect(response.status, image.url).toBe(200);
      expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(image.sha256);
    }
  }

  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await startServer(environment);
      const clients = [client(server), client(server), client(server)];
      // Something comes through first, however slow the machine is.
      const before = acknowledged.length;
      for (let waited = 0; acknowledged.length === before && waited < 20_000; waited += 50) await sleep(50);
      await sleep(Math.random() * 2000);
      await server.kill();
      await Promise.all(clients);
    }
    const last = await startServer(environment);
    await check(last.url);
    expect(await last.stop()).toBe(0);
    expect(acknowledged.length).toBeGreaterThan(KILLS);

    // From each required store on its own: the file by its name, the database by what verify reads.
    for (const image of acknowledged) {
      const file = await readFile(path.join(directory, 'images', keyOf(image.sha256, 'image/png')));
      expect(sha256(file)).toBe(image.sha256);
    }
    const found = await runCommand(['verify', '--json'], environment);
    const summary = JSON.parse(found.out.trim().split('\n').at(-1) ?? '{}');
    expect(summary).toMatchObject({ type: 'summary', lost: [], complete: true });
    for (const store of summary.stores)
      expect(store).toMatchObject({ missing: 0, corrupt: 0, unreachable: 0 });

    const restored = await runCommand(['restore', '--all', '--orphan-grace', '0'], environment);
    expect(restored, restored.log).toMatchObject({ code: 0 });
    const after = await runCommand(['verify'], environment);
    expect(after.code, after.out).toBe(0);
    expect(await readdir(path.join(directory, 'spool'))).toEqual([]);
    expect(await readdir(path.join(directory, 'images', '.writing')).catch(() => [])).toEqual([]);
    process.stdout.write(
      `${acknowledged.length} acknowledged, ${summary.stores.map((each: { store: string; orphans: number }) => `${each.orphans} orphans in ${each.store}`).join(', ')}\n`,
    );
  } finally {
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  }
});

async function upload(url: string, seed: number): Promise<Acknowledged[]> {
  const picture = await makePicture({ width: 200, height: 200, seed });
  const form = new FormData();
  form.append(
    'operations',
    JSON.stringify({ query: print(UploadImageDocument), variables: { input: { file: null } } }),
  );
  form.append('map', '{"0":["variables.input.file"]}');
  form.append('0', new File([picture], 'x.png'));
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body: form,
  });
  const { data } = (await response.json()) as { data: UploadImageMutation };
  const { image, userErrors } = data.uploadImage;
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  return [{ url: image.url, sha256: sha256(picture) }];
}

async function generate(url: string, prompt: string): Promise<Acknowledged[]> {
  const query = `mutation { generateImage(input: { prompt: ${JSON.stringify(prompt)}, model: "sample", size: "64x64" }) { images { url sha256 } } }`;
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data } = (await response.json()) as { data: { generateImage: { images: Acknowledged[] } } };
  return data.generateImage.images.filter((image) => image.url !== null);
}
