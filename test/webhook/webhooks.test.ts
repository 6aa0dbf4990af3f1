import { rm } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  runCreateWebhook,
  runDeleteWebhook,
  runListDeliveries,
  runListWebhooks,
  runReplay,
  runRotateSecret,
  runTestWebhook,
  runUpdateWebhook,
} from '../../src/command/webhook/webhook.ts';
import { makeOutages } from '../../src/storage/outages.ts';
import { reportOutages } from '../../src/webhook/outages.ts';
import { openPoster } from '../../src/webhook/post.ts';
import {
  CreateWebhookDocument,
  type CreateWebhookInput,
  DeleteImageDocument,
  DeleteWebhookDocument,
  ReplayWebhookDeliveriesDocument,
  ReplayWebhookDeliveryDocument,
  RotateWebhookSecretDocument,
  SendTestWebhookDocument,
  StartVerifyDocument,
  UpdateWebhookDocument,
  WebhookDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { openReceiver, type Receiver, type Reply } from './receiver.ts';

const RETRY_SECONDS = [0.1, 0.2, 0.2, 0.2, 0.2, 0.2];

describe('webhooks', () => {
  let app: TestApp;
  let seed = 0;
  const receivers: Receiver[] = [];
  const ids: string[] = [];

  beforeAll(async () => {
    app = await openTestApp({
      WEBHOOK_ALLOW_PRIVATE: '127.0.0.1',
      WEBHOOK_RETRY_SECONDS: RETRY_SECONDS.join(','),
      HEAL_DELAY_SECONDS: '86400',
    });
  });
  afterAll(() => app.close());
  afterEach(async () => {
    for (const id of ids.splice(0)) await app.ask(DeleteWebhookDocument, { input: { id } });
    for (const receiver of receivers.splice(0)) await receiver.close();
  });

  async function subscribe(input: Partial<CreateWebhookInput> = {}, reply?: Reply) {
    const receiver = await openReceiver(reply);
    receivers.push(receiver);
    const { createWebhook } = await app.ask(CreateWebhookDocument, {
      input: { url: receiver.url, ...input },
    });
    expect(createWebhook.userErrors).toEqual([]);
    const id = createWebhook.webhook?.id ?? '';
    ids.push(id);
    receiver.secret = createWebhook.secret ?? '';
    return Object.assign(receiver, { id });
  }
  const newImage = async (input: Record<string, unknown> = {}) => {
    const { image, userErrors } = await upload(app, { content: await makePicture({ seed: ++seed }) }, input);
    expect(userErrors).toEqual([]);
    return image as NonNullable<typeof image>;
  };
  const stateOf = async (id: string) => {
    const { webhook } = await app.ask(WebhookDocument, { id });
    return { ...webhook, deliveries: webhook?.deliveries.edges.map((edge) => edge.node) ?? [] };
  };
  /** Sets the state of the copy of an image in the database. */
  const setCopy = (image: { readonly id: string }, state: string) =>
    app.database.query(
      `UPDATE copies SET state = $1, retry_at = now() + interval '1 day' WHERE store = 'database'
       AND blob_id = (SELECT blob_id FROM generated_images WHERE uuid::text = $2)`,
      [state, atob(image.id).split(':')[1]],
    );
  const until = (check: () => void | Promise<void>) => eventually(check);

  test('a lost image is reported once, signed, after a verify has found that no store has it', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_LOST', 'VERIFY_FINISHED'] });
    const image = await newImage();
    for (const file of await app.files('images')) await rm(path.join(app.directory, 'images', file));
    await app.database.query('DELETE FROM stored_chunks');
    await app.database.query('DELETE FROM stored_objects');
    for (let i = 1; i <= 2; i++) {
      await app.ask(StartVerifyDocument, { input: { maxMissingPercent: 100 } });
      await until(() => expect(receiver.ofType('verify.finished')).toHaveLength(i));
    }
    await until(() => expect(receiver.ofType('image.lost')).toHaveLength(1));
    const [lost] = receiver.ofType('image.lost');
    expect(lost?.event.data).toMatchObject({ id: image.id, url: image.url });
    expect(lost?.event.data.copies).toEqual([
      { store: 'database', state: 'MISSING' },
      { store: 'filesystem', state: 'MISSING' },
    ]);
    expect(receiver.ofType('verify.finished')[0]?.event.data).toMatchObject({
      state: 'COMPLETED',
      missing: 2,
    });
  });

  test('a receiver that fails five times gets the event at the sixth attempt, with the same id', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, (count) => ({
      status: count < 5 ? 503 : 200,
      body: `answer ${count}`,
    }));
    await newImage();
    await until(() => expect(receiver.received).toHaveLength(6));
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    await until(async () => {
      const { deliveries, failingSince } = await stateOf(receiver.id);
      expect(deliveries[0]).toMatchObject({ state: 'DELIVERED', nextAttemptAt: null });
      expect(deliveries[0]?.attempts.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503, 200]);
      expect(deliveries[0]?.attempts[5]?.answer).toBe('answer 5');
      expect(failingSince).toBeNull();
    });
    const waits = receiver.received.slice(1).map(({ at }, index) => at - (receiver.received[index]?.at ?? 0));
    for (const [index, wait] of waits.entries())
      expect(wait).toBeGreaterThanOrEqual((RETRY_SECONDS[index] ?? 0) * 900 - 20);
  });

  test('after the last attempt a delivery has failed, and can be replayed', async () => {
    let status = 500;
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, () => ({ status }));
    await newImage();
    await until(async () => expect((await stateOf(receiver.id)).deliveries[0]?.state).toBe('FAILED'));
    expect(receiver.received).toHaveLength(RETRY_SECONDS.length + 1);
    status = 200;
    const [delivery] = (await stateOf(receiver.id)).deliveries;
    await app.ask(ReplayWebhookDeliveryDocument, { input: { id: delivery?.id ?? '' } });
    await until(async () => expect((await stateOf(receiver.id)).deliveries[0]?.state).toBe('DELIVERED'));
    expect(new Set(receiver.received.map(({ id }) => id))).toEqual(new Set([delivery?.eventId]));

    const after = new Date(Date.now() - 60_000).toISOString();
    const none = await app.ask(ReplayWebhookDeliveriesDocument, { input: { id: receiver.id, after } });
    expect(none.replayWebhookDeliveries.replayed).toBe(0);
    const count = receiver.received.length;
    const all = await app.ask(ReplayWebhookDeliveriesDocument, {
      input: { id: receiver.id, after, delivered: true },
    });
    expect(all.replayWebhookDeliveries.replayed).toBe(1);
    await until(() => expect(receiver.received).toHaveLength(count + 1));
  });

  test('410 Gone disables, and enabling sends what came meanwhile', async () => {
    let status = 410;
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, () => ({ status }));
    await newImage();
    await until(async () =>
      expect(await stateOf(receiver.id)).toMatchObject({
        enabled: false,
        disabledReason: 'The endpoint answered 410 Gone.',
      }),
    );
    expect(app.logged.some((line) => line.includes('disabled a webhook'))).toBe(true);
    await newImage();
    status = 200;
    const { updateWebhook } = await app.ask(UpdateWebhookDocument, {
      input: { id: receiver.id, enabled: true },
    });
    expect(updateWebhook.webhook).toMatchObject({ enabled: true, disabledReason: null });
    await newImage();
    await until(() => expect(receiver.received).toHaveLength(2));
  });

  test('days of failures disable', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, () => ({ status: 500 }));
    await newImage();
    await until(async () => expect((await stateOf(receiver.id)).failingSince).not.toBeNull());
    expect((await stateOf(receiver.id)).enabled).toBe(true);
    await app.database.query(`UPDATE webhooks SET failing_since = now() - interval '6 days'`);
    await until(async () => expect((await stateOf(receiver.id)).enabled).toBe(false));
    expect((await stateOf(receiver.id)).disabledReason).toContain(
      'for 5 days. The last attempt: It answered',
    );
  });

  test('one failure long after another does not disable an endpoint that gets few events', async () => {
    let fails = true;
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, () => ({
      status: fails ? 500 : 200,
    }));
    await app.database.query(`UPDATE webhooks SET failing_since = now() - interval '6 days'`);
    await newImage();
    await until(() => expect(receiver.received.length).toBeGreaterThan(0));
    fails = false;
    await until(async () => expect((await stateOf(receiver.id)).failingSince).toBeNull());
    expect(await stateOf(receiver.id)).toMatchObject({ enabled: true, deliveries: [{ state: 'DELIVERED' }] });
  });

  test('a replay is not undone by the attempt that was under way', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, (count) => ({
      status: 200,
      ...(count === 0 ? { wait: sleep(500) } : {}),
    }));
    await newImage();
    await until(() => expect(receiver.received).toHaveLength(1));
    const [delivery] = (await stateOf(receiver.id)).deliveries;
    await app.ask(ReplayWebhookDeliveryDocument, { input: { id: delivery?.id ?? '' } });
    await until(() => expect(receiver.received).toHaveLength(2));
    await until(async () => expect((await stateOf(receiver.id)).deliveries[0]?.state).toBe('DELIVERED'));
  });

  test('no other role can forge an event', async () => {
    const receiver = await subscribe();
    const asStranger = (...statements: string[]) =>
      app.database.transaction(async (transaction) => {
        await transaction.query('CREATE ROLE webhook_stranger');
        await transaction.query('CREATE SCHEMA strange AUTHORIZATION webhook_stranger');
        await transaction.query('SET LOCAL ROLE webhook_stranger');
        for (const each of statements) await transaction.query(each);
      });
    const denied = /permission denied/;
    await expect(asStranger(`SELECT fixative_webhook_event('image.lost', '{}')`)).rejects.toThrow(denied);
    await expect(
      asStranger(
        'CREATE TABLE strange.t (blob_id float8)',
        'CREATE TRIGGER t AFTER INSERT ON strange.t FOR EACH ROW EXECUTE FUNCTION fixative_webhook_copy()',
      ),
    ).rejects.toThrow(denied);
    await app.database.query(`SELECT fixative_webhook_event('copies', '{"blobId": "NaN"}')`);
    await newImage();
    await until(() => expect(receiver.ofType('image.succeeded')).toHaveLength(1));
  });

  test('Retry-After is respected, and redirects are not followed', async () => {
    const target = await subscribe({ eventTypes: ['STORE_RECOVERED'] });
    const receiver = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, (count) =>
      count === 0
        ? { status: 429, headers: { 'retry-after': '1' } }
        : { status: 302, headers: { location: target.url } },
    );
    await newImage();
    await until(() => expect(receiver.received.length).toBeGreaterThan(2));
    expect((receiver.received[1]?.at ?? 0) - (receiver.received[0]?.at ?? 0)).toBeGreaterThan(980);
    expect(target.received).toEqual([]);
  });

  test('a slow receiver delays no other', async () => {
    let release = () => {};
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] }, () => ({ status: 200, wait }));
    const fast = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED'] });
    for (let i = 0; i < 8; i++) await newImage();
    await until(() => expect(fast.received).toHaveLength(8));
    // PER_ENDPOINT requests at once.
    expect(slow.received).toHaveLength(4);
    release();
    await until(() => expect(slow.received).toHaveLength(8));
    expect(new Set(slow.received.map(({ id }) => id)).size).toBe(8);
  });

  test('event types and filters decide what is sent', async () => {
    const cats = await subscribe({ filter: { tags: ['cat'], userIds: ['user-1'] }, eventTypes: [] });
    const all = await subscribe({ eventTypes: ['IMAGE_SUCCEEDED', 'IMAGE_DELETED'] });
    const cat = await newImage({ tags: ['cat'], userId: 'user-1' });
    await newImage({ tags: ['cat'], userId: 'user-2' });
    await newImage({ tags: ['dog'], userId: 'user-1' });
    await app.ask(DeleteImageDocument, { input: { id: cat.id } });
    await until(() => expect(all.received).toHaveLength(4));
    await until(() => expect(cats.received).toHaveLength(2));
    expect(cats.received.map(({ type }) => type).sort()).toEqual(['image.deleted', 'image.succeeded']);
    expect(cats.received.every(({ event }) => event.data.id === cat.id)).toBe(true);
  });

  test('while a secret is rotated, both sign', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_LOST'] });
    const old = receiver.secret;
    const rotated = await app.ask(RotateWebhookSecretDocument, { input: { id: receiver.id } });
    const secret = rotated.rotateWebhookSecret.secret ?? '';
    expect(secret).not.toBe(old);
    await app.ask(SendTestWebhookDocument, { input: { id: receiver.id } });
    await until(() => expect(receiver.received).toHaveLength(1));
    const { body, headers } = receiver.received[0] as (typeof receiver.received)[0];
    for (const each of [old, secret]) new Webhook(each).verify(body, headers as Record<string, string>);
    expect(String(headers['webhook-signature']).split(' ')).toHaveLength(2);
    await app.ask(RotateWebhookSecretDocument, { input: { id: receiver.id, overlapHours: 0 } });
    await app.ask(SendTestWebhookDocument, { input: { id: receiver.id } });
    await until(async () =>
      expect((await stateOf(receiver.id)).deliveries[0]?.attempts[0]?.status).toBe(401),
    );
  });

  test('an address that is not public is refused', async () => {
    for (const url of ['http://169.254.169.254/latest', 'http://10.0.0.1/', 'http://[::1]/']) {
      const { createWebhook } = await app.ask(CreateWebhookDocument, { input: { url } });
      expect(createWebhook.userErrors, url).toMatchObject([
        { code: 'SOURCE_FORBIDDEN', path: ['input', 'url'] },
      ]);
      expect(createWebhook.userErrors[0]?.message).toContain('WEBHOOK_ALLOW_PRIVATE');
    }
    // A name that was public when it was checked, and is private at the delivery.
    const receiver = await openReceiver();
    receivers.push(receiver);
    let address = '93.184.215.14';
    const lookup: LookupFunction = (_name, _options, callback) => callback(null, [{ address, family: 4 }]);
    const poster = openPoster({ allowPrivate: [], timeoutSeconds: 5, lookup });
    const url = `http://rebound.example:${receiver.port}/`;
    await poster.check(url);
    address = '127.0.0.1';
    await expect(poster.check(url)).rejects.toThrow('WEBHOOK_ALLOW_PRIVATE');
    const answer = await poster.post(url, '{}', {});
    expect(answer).toMatchObject({ status: null, error: expect.stringContaining('not a public address') });
    expect(receiver.received).toEqual([]);
    await poster.close();
  });

  test('a failed generation is reported', async () => {
    const receiver = await subscribe({
      eventTypes: ['IMAGE_FAILED'],
    });
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, status, error, error_code) VALUES ('u', 'p', 'pending', NULL, NULL)`,
    );
    await app.database.query(
      `UPDATE generated_images SET status = 'failed', error = 'No.', error_code = 'CONTENT_POLICY' WHERE status = 'pending'`,
    );
    await until(() => expect(receiver.received).toHaveLength(1));
    expect(receiver.received[0]?.event.data).toMatchObject({
      status: 'failed',
      errorCode: 'CONTENT_POLICY',
      url: null,
    });
  });

  test('an outage that two servers notice is reported once, and its end too', async () => {
    const receiver = await subscribe({ eventTypes: ['STORE_UNREACHABLE', 'STORE_RECOVERED'] });
    const servers = [1, 2].map(() => {
      const outages = makeOutages(pino({ level: 'silent' }));
      return { outages, reports: reportOutages(app.database, outages) };
    });
    for (const { outages } of servers) outages.failed('s3', new Error('connect ECONNREFUSED'));
    await until(() => expect(receiver.ofType('store.unreachable')).toHaveLength(1));
    expect(receiver.received[0]?.event.data).toMatchObject({ store: 's3', reason: 'connect ECONNREFUSED' });
    for (const { outages } of servers) outages.answered('s3');
    await until(() => expect(receiver.ofType('store.recovered')).toHaveLength(1));
    expect(receiver.ofType('store.recovered')[0]?.event.data).toMatchObject({ store: 's3', seconds: 0 });
    for (const { reports } of servers) await reports.stop();
    expect(receiver.received).toHaveLength(2);
  });

  test('a missing copy is reported as degraded once, until it is healthy again', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_DEGRADED', 'IMAGE_LOST'] });
    const image = await newImage();
    const set = (state: string) => setCopy(image, state);
    const rows = async () => (await app.database.query('SELECT 1 FROM webhook_outbox')).length;
    for (const [state, count] of [
      ['MISSING', 1],
      ['CORRUPT', 1],
      ['STORED', 1],
      ['MISSING', 2],
    ] as const) {
      await set(state);
      await until(async () => expect(await rows()).toBe(0));
      await until(() => expect(receiver.ofType('image.degraded')).toHaveLength(count));
    }
    expect(receiver.received.every(({ event }) => event.data.id === image.id)).toBe(true);
    expect(receiver.received).toHaveLength(2);
  });

  test('what was reported before all webhooks were disabled is reported again', async () => {
    const receiver = await subscribe({ eventTypes: ['IMAGE_DEGRADED'] });
    const image = await newImage();
    const set = (state: string) => setCopy(image, state);
    const enable = (enabled: boolean) =>
      app.ask(UpdateWebhookDocument, { input: { id: receiver.id, enabled } });
    await set('MISSING');
    await until(() => expect(receiver.received).toHaveLength(1));
    await enable(false);
    await set('STORED');
    await enable(true);
    await set('MISSING');
    await until(() => expect(receiver.received).toHaveLength(2));
  });

  test('the commands create, test, list, replay, disable and delete', async () => {
    const receiver = await openReceiver();
    receivers.push(receiver);
    const { services, database } = app;
    let out = '';
    const terminal = {
      out(text: string) {
        out += text;
      },
      note() {},
      interactive: false,
    };
    const outOf = async (work: Promise<number>) => {
      out = '';
      expect(await work).toBe(0);
      return out.trim();
    };
    const options = { url: receiver.url, event: ['image.lost'], tag: ['cat'] };
    expect(await outOf(runCreateWebhook(services, options, terminal))).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const listed = await outOf(runListWebhooks(database, { json: true }, terminal));
    expect(listed).not.toContain('whsec_');
    const { id, ...values } = JSON.parse(listed);
    expect(values).toMatchObject({
      url: receiver.url,
      eventTypes: ['image.lost'],
      filter: { tags: ['cat'] },
    });
    receiver.secret = await outOf(runRotateSecret(services, id, 0, terminal));
    await outOf(runTestWebhook(services, id, terminal));
    const deliveries = () => outOf(runListDeliveries(database, id, { limit: 5, json: false }, terminal));
    await eventually(async () =>
      expect(await deliveries()).toMatch(/webhook\.test {2}DELIVERED {2}1 {2}204$/),
    );
    const range = { since: new Date(Date.now() - 60_000), delivered: true };
    expect(await outOf(runReplay(services, id, range, terminal))).toBe('queued  1');
    await until(() => expect(receiver.received).toHaveLength(2));
    await outOf(runUpdateWebhook(services, id, { enabled: false }, terminal));
    expect(await outOf(runListWebhooks(database, { json: false }, terminal))).toContain('disabled');
    await outOf(runDeleteWebhook(services, id, terminal));
    expect(await outOf(runListWebhooks(database, { json: true }, terminal))).toBe('');
  });
});
