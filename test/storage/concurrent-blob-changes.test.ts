import { createHash } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DeleteImageDocument,
  PurgeImageDocument,
  RestoreImageDocument,
  UndeleteImageDocument,
  UpdateImageDocument,
} from '../generated/graphql.ts';
import { makeDatabase, openTestApp, pick, type TestApp, type TestDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/**
 * Few pictures and few images, so that callers collide. On PostgreSQL two servers share database and
 * directory.
 */
describe('concurrent uploads, losses, repairs and removals of the same bytes', () => {
  const apps: TestApp[] = [];
  let shared: TestDatabase | null;
  beforeAll(async () => {
    shared = await makeDatabase();
    const settings = { ...(shared ? { DATABASE_URL: shared.url } : {}), DATABASE_POOL_SIZE: '8' };
    const first = await openTestApp(settings);
    apps.push(first);
    if (shared) {
      apps.push(
        await openTestApp({ ...settings, GENERATED_IMAGE_DIR: path.join(first.directory, 'images') }),
      );
    }
    for (const app of apps) app.storage.startRepairs();
  });
  afterAll(async () => {
    for (const app of apps.toReversed()) await app.close();
    expect((await shared?.deadlocks()) ?? 0).toBe(0);
    await shared?.drop();
  });

  test('serve the right bytes or 404, and leave every copy healthy', async () => {
    const pictures = await Promise.all(
      Array.from({ length: 5 }, (_, i) => makePicture({ width: 64, height: 64, seed: 95_000 + i })),
    );
    const known = new Map(pictures.map((content) => [sha256(content), content]));
    interface Kept {
      readonly id: string;
      readonly url: string;
      readonly sha256: string;
    }
    const images: Kept[] = [];
    const refusals = new Map<string, number>();
    const note = (payload: { userErrors?: readonly { code: string }[] | null }) => {
      for (const { code } of payload.userErrors ?? []) refusals.set(code, (refusals.get(code) ?? 0) + 1);
    };
    const [first] = apps as [TestApp];
    const fileOf = async (hash: string) => {
      const [copy] = await first.database.query<{ key: string }>(
        "SELECT c.key FROM copies c JOIN blobs b ON b.id = c.blob_id WHERE b.sha256 = $1 AND c.store = 'filesystem'",
        [hash],
      );
      return copy ? path.join(first.directory, 'images', copy.key) : null;
    };

    const acts: ((app: TestApp) => Promise<void>)[] = [
      async (app) => {
        const content = pick(pictures);
        const { image, userErrors } = await upload(
          app,
          { content },
          { userId: pick(['u1', 'u2']), onDuplicate: pick(['CREATE', 'REUSE', 'ERROR']) },
        );
        note({ userErrors });
        if (image)
          images.push({
            id: image.id,
            url: new URL(image.url as string).pathname,
            sha256: image.sha256 as string,
          });
        images.splice(0, Math.max(0, images.length - 12));
      },
      async (app) => {
        const image = pick(images);
        const response = await app.fetch(image.url);
        const body = new Uint8Array(await response.arrayBuffer());
        if (response.status === 200) expect(sha256(body)).toBe(image.sha256);
        else expect(response.status).toBe(404);
      },
      async (app) =>
        note((await app.ask(DeleteImageDocument, { input: { id: pick(images).id } })).deleteImage),
      async (app) =>
        note((await app.ask(UndeleteImageDocument, { input: { id: pick(images).id } })).undeleteImage),
      async (app) => note((await app.ask(PurgeImageDocument, { input: { id: pick(images).id } })).purgeImage),
      async (app) =>
        note((await app.ask(RestoreImageDocument, { input: { id: pick(images).id } })).restoreImage),
      async (app) =>
        note(
          (
            await app.ask(UpdateImageDocument, {
              input: { id: pick(images).id, visibility: pick(['PUBLIC', 'PRIVATE'] as const) },
            })
          ).updateImage,
        ),
      // The disk loses a file or damages it. The database still has the bytes.
      async () => {
        const file = await fileOf(pick(images).sha256);
        if (file) await rm(file, { force: true });
      },
      async () => {
        const file = await fileOf(pick(images).sha256);
        const found = file && (await stat(file).catch(() => null));
        // File times have the resolution of the kernel's clock, 4 or 10 ms. They do not show a second write
        // within one tick.
        if (found && Date.now() - found.ctimeMs > 50)
          await writeFile(file, 'spoilt', { flag: 'r+' }).catch(() => {});
      },
      async (app) => {
        await app.storage.verify();
      },
    ];

    const deadline = Date.now() + 1000 * Number(process.env.MEETINGS_SECONDS ?? 4);
    let acted = 0;
    await Promise.all(
      Array.from({ length: 10 }, async (_, caller) => {
        const app = apps[caller % apps.length] as TestApp;
        while (Date.now() < deadline || acted <= 50) {
          if (images.length < 4) await acts[0]?.(app);
          else await pick(acts)(app);
          acted++;
        }
      }),
    );
    expect(acted).toBeGreaterThan(50);
    // A file that is lost while it is restored is a fault of the store.
    for (const code of refusals.keys())
      expect(['CONFLICT', 'NOT_FOUND', 'DUPLICATE', 'STORE_UNAVAILABLE']).toContain(code);
    for (const app of apps) await app.storage.settled();
    // A failed repair is repeated only after half a minute.
    for (const { id } of await first.database.query<{ id: number }>(
      'SELECT id FROM blobs WHERE condemned_at IS NULL',
    ))
      await first.storage.restore(id, { deep: true });
    const { stores, lostCount } = await first.storage.verify();
    expect(lostCount).toBe(0);
    for (const store of stores) expect(store).toMatchObject({ missing: 0, corrupt: 0, unreachable: 0 });
    const rows = await first.database.query<{ storage_url: string; sha256: string }>(
      "SELECT storage_url, sha256 FROM generated_images WHERE deleted_at IS NULL AND status = 'success'",
    );
    for (const row of rows) {
      const response = await first.fetch(row.storage_url);
      expect(response.status).toBe(200);
      expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(row.sha256);
      expect(known.has(row.sha256)).toBe(true);
    }
  });
});
