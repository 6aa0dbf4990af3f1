import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { follow } from '../generation/follow.ts';
import { openGate } from '../generation/gate.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { ask } from './ask.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
});
afterAll(() => app.close());

let seed = 0;
async function keep(input: Record<string, unknown> = {}, picture = seed++) {
  const { image } = await upload(app, { content: await makePicture({ seed: 64_000 + picture }) }, input);
  if (!image) throw new Error('refused');
  return image;
}

/** Documents that clients send repeatedly: the third response equals the first. */
describe('a document that is sent again', () => {
  test('leaves what its variables leave out as it is', async () => {
    const image = await keep({ tags: ['a'], metadata: { one: 1 }, filename: 'fox.png' });
    const query = `mutation Update($id: ID!, $tags: [String!], $metadata: JSON, $filename: String) {
      updateImage(input: { id: $id, tags: $tags, metadata: $metadata, filename: $filename }) {
        image { tags metadata filename } userErrors { message }
      }
    }`;
    for (let time = 1; time <= 4; time++) {
      const tags = [`time ${time}`];
      const { data } = await ask(app, query, { id: image.id, tags });
      expect(data.updateImage).toEqual({
        image: { tags, metadata: { one: 1 }, filename: image.filename },
        userErrors: [],
      });
    }
  });

  test('keeps and finds by the value of a variable within a JSON literal', async () => {
    const change = `mutation Mark($id: ID!, $c: String) {
      updateImage(input: { id: $id, metadata: { channel: $c } }) { image { metadata } }
    }`;
    const find = `query Find($c: String) {
      images(filter: { userId: "channels", metadata: { channel: $c } }) { nodes { metadata } }
    }`;
    for (const channel of ['one', 'two', 'three', 'four']) {
      const image = await keep({ userId: 'channels' });
      const { data } = await ask(app, change, { id: image.id, c: channel });
      expect(data.updateImage.image.metadata).toEqual({ channel });
      expect((await ask(app, find, { c: channel })).data.images.nodes).toEqual([{ metadata: { channel } }]);
    }
    // A variable that is not sent leaves the key out of the literal, which then matches any channel.
    expect((await ask(app, find)).data.images.nodes).toHaveLength(4);
  });

  test('has the defaults of input fields where a variable is not sent', async () => {
    const query = `query Ordered($f: ImageOrderField! = CREATED_AT, $d: OrderDirection! = DESC) {
      images(filter: { userId: "ordered" }, orderBy: { field: $f, direction: $d }) { nodes { prompt } }
    }`;
    const field = `query Direction($d: OrderDirection) {
      images(filter: { userId: "ordered" }, orderBy: { field: CREATED_AT, direction: $d }) { nodes { prompt } }
    }`;
    for (const prompt of ['1', '2', '3']) await keep({ userId: 'ordered', prompt });
    const newestFirst = { images: { nodes: [{ prompt: '3' }, { prompt: '2' }, { prompt: '1' }] } };
    for (let time = 1; time <= 4; time++) {
      expect(await ask(app, query)).toEqual({ data: newestFirst });
      expect(await ask(app, field)).toEqual({ data: newestFirst });
      expect((await ask(app, field, { d: 'ASC' })).data.images.nodes[0]).toEqual({ prompt: '1' });
    }
  });

  test('is refused for @include(if: null) each time', async () => {
    const query =
      'query Conditional($i: Boolean = true) { images(first: 1) { totalCount @include(if: $i) } }';
    for (let time = 1; time <= 4; time++) {
      expect((await ask(app, query, { i: true })).data.images).toHaveProperty('totalCount');
      expect((await ask(app, query, { i: false })).data.images).toEqual({});
      const { errors } = await ask(app, query, { i: null });
      expect(errors?.[0]?.message).toBe('Argument "if" of non-null type "Boolean!" must not be null.');
    }
  });
});

describe('what was read earlier in the same operation', () => {
  test('is read anew by each mutation of a document', async () => {
    const [first, second] = [await keep({ userId: 'twins' }, 900), await keep({ userId: 'twins' }, 900)];
    const { data, errors } = await ask(
      app,
      `mutation Three($first: ID!, $second: ID!) {
        a: updateImage(input: { id: $first, addTags: ["a"] }) { image { tags duplicates { id } } }
        deleteImage(input: { id: $second }) { userErrors { message } }
        b: updateImage(input: { id: $first, addTags: ["b"] }) { image { tags duplicates { id } } }
        undeleteImage(input: { id: $second }) { image { duplicates { id tags } } }
      }`,
      { first: first.id, second: second.id },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      a: { image: { tags: ['a'], duplicates: [{ id: second.id }] } },
      deleteImage: { userErrors: [] },
      b: { image: { tags: ['a', 'b'], duplicates: [] } },
      undeleteImage: { image: { duplicates: [{ id: first.id, tags: ['a', 'b'] }] } },
    });
  });

  test('is read anew by the payload of the mutation that changed it', async () => {
    const whole = await keep({ userId: 'family' });
    const part = await keep({ userId: 'family' });
    await app.database.query('UPDATE generated_images SET part_of = $1, part = 1 WHERE id = $2', [
      whole.databaseId,
      part.databaseId,
    ]);
    const { data } = await ask(
      app,
      'mutation Tag($id: ID!) { updateImage(input: { id: $id, addTags: ["new"] }) { image { tags parts { whole { tags } } } } }',
      { id: whole.id },
    );
    expect(data.updateImage.image).toEqual({ tags: ['new'], parts: [{ whole: { tags: ['new'] } }] });
  });
});

test('each event of a subscription says what is so by then', async () => {
  const gate = await openGate();
  const generating = await openTestApp({ OPENAI_API_KEY: gate.apiKey, OPENAI_BASE_URL: gate.baseUrl });
  try {
    gate.shut();
    const started = await ask(
      generating,
      `mutation { generateImage(input: { prompt: "a boat", model: "gpt-image-1", waitSeconds: 0, userId: "events" }) {
        images { id status } userErrors { message }
      } }`,
    );
    const [{ id }] = started.data.generateImage.images;
    const document = parse(`subscription Watch($id: ID!) { imageUpdated(id: $id) {
      status durability duplicates { id } attempts { startedAt endedAt } copies { state }
    } }`);
    const seen: Record<string, unknown>[] = [];
    // biome-ignore lint/suspicious/noExplicitAny: a document without generated types
    for await (const event of follow<any, any>(generating, document as never, { id })) {
      const image = event.imageUpdated;
      seen.push(image);
      if (image.status === 'PENDING' || image.status === 'PROCESSING') gate.open();
      else break;
    }
    expect(seen.length).toBeGreaterThan(1);
    expect(seen[0]).toMatchObject({ durability: null, copies: [] });
    expect(seen.at(-1)).toMatchObject({
      status: 'SUCCESS',
      attempts: [{ startedAt: expect.any(String), endedAt: expect.any(String) }],
      copies: [{ state: 'STORED' }, { state: 'STORED' }],
      durability: 'DURABLE',
    });
  } finally {
    gate.open();
    await generating.close();
    await gate.close();
  }
});
