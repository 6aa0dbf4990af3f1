import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GenerateImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const UPLOAD = `mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { id } userErrors {
  __typename code message ... on QuotaExceededError { limit used unit resetsAt } } } }`;

describe('a user may have', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ QUOTA_IMAGES: '3', QUOTA_BYTES: '60000', QUOTA_GENERATIONS_PER_DAY: '2' });
  });
  afterAll(() => app.close());

  const generate = (input: Record<string, unknown>) =>
    app.ask(GenerateImageDocument, {
      input: { prompt: 'a fox', size: '64x64', waitSeconds: 30, ...input } as never,
    });

  test('so many images; what lies in the trash counts, and another user has a quota of their own', async () => {
    for (let seed = 1; seed <= 3; seed++)
      expect(
        (await upload(app, { content: await makePicture({ seed }) }, { userId: 'a' })).userErrors,
      ).toEqual([]);
    const refused = await upload(app, { content: await makePicture({ seed: 4 }) }, { userId: 'a' });
    expect(refused).toMatchObject({
      image: null,
      userErrors: [{ __typename: 'QuotaExceededError', code: 'QUOTA_EXCEEDED' }],
    });
    expect(
      (await upload(app, { content: await makePicture({ seed: 4 }) }, { userId: 'b' })).userErrors,
    ).toEqual([]);
    const { generateImage } = await generate({ userId: 'a' });
    expect(generateImage.userErrors).toMatchObject([{ code: 'QUOTA_EXCEEDED' }]);
  });

  test('so many bytes', async () => {
    const { uploadForm } = await import('../upload.ts');
    const content = await makePicture({ width: 128, height: 128, seed: 9 });
    expect(content.length).toBeGreaterThan(30_000);
    expect(content.length).toBeLessThan(60_000);
    expect((await upload(app, { content }, { userId: 'c' })).userErrors).toEqual([]);
    const response = await app.fetch('/graphql', {
      method: 'POST',
      body: uploadForm({ content }, { userId: 'c' }, UPLOAD),
    });
    expect(await response.json()).toMatchObject({
      data: {
        uploadImage: {
          image: null,
          userErrors: [
            {
              __typename: 'QuotaExceededError',
              limit: 60_000,
              used: content.length,
              unit: 'BYTES',
              resetsAt: null,
            },
          ],
        },
      },
    });
    const target = parse(
      `mutation { createUploadTarget(input: { filename: "a", mimeType: "image/png", bytes: 50000, userId: "c" }) { userErrors { code } } }`,
    );
    expect(await app.ask(target as never, {})).toMatchObject({
      createUploadTarget: { userErrors: [{ code: 'QUOTA_EXCEEDED' }] },
    });
  });

  test('so many generations a day; the same request again is none', async () => {
    const first = await generate({ userId: 'd', n: 2, requestId: 'r' });
    expect(first.generateImage.images).toHaveLength(2);
    expect((await generate({ userId: 'd' })).generateImage.userErrors).toMatchObject([
      { code: 'QUOTA_EXCEEDED' },
    ]);
    const again = await generate({ userId: 'd', n: 2, requestId: 'r' });
    expect(again.generateImage.images.map(({ id }) => id)).toEqual(
      first.generateImage.images.map(({ id }) => id),
    );
    // Generations still count after their images are purged, because they were paid for.
    for (const { uuid } of await app.database.query<{ uuid: string }>(
      `SELECT uuid FROM generated_images WHERE user_id = 'd'`,
    )) {
      const purge = parse(`mutation { purgeImage(input: { id: "${uuid}" }) { purgedId } }`);
      await app.ask(purge as never, {});
    }
    expect((await generate({ userId: 'd' })).generateImage.userErrors).toMatchObject([
      { code: 'QUOTA_EXCEEDED' },
    ]);
    await app.database.query(`UPDATE generation_counts SET day = day - 1 WHERE user_id = 'd'`);
    expect((await generate({ userId: 'd' })).generateImage.userErrors).toEqual([]);
  });

  test('and is told when there is room again', async () => {
    await generate({ userId: 'e', n: 2 });
    const document = parse(`mutation { generateImage(input: { prompt: "x", userId: "e" }) { userErrors {
      code ... on QuotaExceededError { limit used unit resetsAt } } } }`);
    const { generateImage } = (await app.ask(document as never, {})) as {
      generateImage: { userErrors: { resetsAt: string }[] };
    };
    const [error] = generateImage.userErrors;
    expect(error).toMatchObject({ limit: 2, used: 2, unit: 'GENERATIONS' });
    const wait = Date.parse(error?.resetsAt ?? '') - Date.now();
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(86_400_000);
  });
});
