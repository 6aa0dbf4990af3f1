import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import { FormData, fetch } from 'undici';
import { expect, test } from 'vitest';
import { UploadImageDocument, type UploadImageMutation } from '../generated/graphql.ts';
import { eventually, makeDatabase, type Succeeded } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { runCommand, startServer } from './server.ts';

const KILLS = Number(process.env.CRASH_KILLS ?? 3);
const TOKEN = 'crash-test-token-0123456789';
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

interface Kept {
  readonly id: string;
  readonly path: string;
  readonly sha256: string;
  purged: 'no' | 'asked' | 'yes';
}

/** Three images share the bytes of each picture. Purges run in any order until the server is killed. */
test(`${KILLS} kills among purges neither lose shared bytes nor leave any for ever`, {
  timeout: 60_000 + KILLS * 30_000,
}, async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-purge-'));
  const database = await makeDatabase();
  const environment = {
    DATA_DIR: directory,
    FIXATIVE_ROOT_TOKEN: TOKEN,
    LOG_LEVEL: 'error',
    ...(database ? { DATABASE_URL: database.url } : {}),
  };
  const images: Kept[] = [];
  let seed = 90_000;
  const files = async () =>
    (await readdir(path.join(directory, 'images'), { recursive: true })).filter((name) =>
      name.endsWith('.png'),
    );

  try {
    for (let kill = 0; kill <= KILLS; kill++) {
      const server = await startServer(environment);
      for (let i = 0; i < 12; i++) {
        const content = await makePicture({ width: 120, height: 120, seed: seed++ });
        for (let share = 0; share < 3; share++) images.push(await upload(server.url, content));
      }
      const left = images.filter(({ purged }) => purged === 'no').sort(() => Math.random() - 0.5);
      // Some are left to the next round.
      const victims = left.slice(0, Math.floor(left.length * 0.7));
      const purger = async () => {
        for (let image = victims.pop(); image; image = victims.pop()) {
          image.purged = 'asked';
          const done = await purge(server.url, image.id).catch(() => false);
          if (!done) return;
          image.purged = 'yes';
        }
      };
      const work = Promise.all([purger(), purger(), purger()]);
      if (kill < KILLS) {
        await sleep(30 + Math.random() * 250);
        await server.kill();
        await work;
        continue;
      }
      await work;

      // Images that no request asked to purge are there, byte for byte. Purged images are not.
      for (const image of images) {
        const response = await fetch(server.url + image.path);
        const body = new Uint8Array(await response.arrayBuffer());
        if (image.purged === 'no') expect([response.status, sha256(body)]).toEqual([200, image.sha256]);
        if (image.purged === 'yes') expect(response.status).toBe(404);
        if (image.purged === 'asked') await purge(server.url, image.id);
      }
      const wanted = new Set(images.filter(({ purged }) => purged === 'no').map((image) => image.sha256));
      await eventually(async () => expect((await files()).length).toBe(wanted.size));
      expect(await server.stop()).toBe(0);
    }
    expect(images.filter(({ purged }) => purged === 'yes').length).toBeGreaterThan(KILLS);
    const found = await runCommand(['verify', '--json'], environment);
    const summary = JSON.parse(found.out.trim().split('\n').at(-1) ?? '{}');
    expect(summary).toMatchObject({ lost: [], complete: true });
    for (const store of summary.stores)
      expect(store).toMatchObject({ missing: 0, corrupt: 0, pending: 0, unreachable: 0, orphans: 0 });
  } finally {
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  }
});

const headers = { authorization: `Bearer ${TOKEN}` };

async function upload(url: string, content: Uint8Array): Promise<Kept> {
  const form = new FormData();
  const variables = { input: { file: null } };
  form.append('operations', JSON.stringify({ query: print(UploadImageDocument), variables }));
  form.append('map', '{"0":["variables.input.file"]}');
  form.append('0', new File([content as BlobPart], 'x.png'));
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: form });
  const { data } = (await response.json()) as { data: Succeeded<UploadImageMutation> };
  const { image } = data.uploadImage;
  return {
    id: image?.id ?? '',
    path: new URL(image?.url ?? '').pathname,
    sha256: sha256(content),
    purged: 'no',
  };
}

async function purge(url: string, id: string): Promise<boolean> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation ($id: ID!) { purgeImage(input: { id: $id }) { purgedId } }',
      variables: { id },
    }),
  });
  const { data } = (await response.json()) as { data: { purgeImage: { purgedId: string | null } } };
  return data.purgeImage.purgedId !== null;
}
