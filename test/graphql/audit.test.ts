import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asActor } from '../../src/audit/actor.ts';
import { type AUDIT_ACTIONS, recordAudit, trimAudit } from '../../src/audit/audit.ts';
import { schema } from '../../src/graphql/schema.ts';
import { type AuditFilter, AuditLogDocument, ImageByIdDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

describe('the audit log', () => {
  let app: TestApp;
  let picture: Buffer;
  beforeAll(async () => {
    app = await openTestApp({ ALLOW_PRIVATE_SOURCES: '127.0.0.1' });
    picture = await makePicture();
  });
  afterAll(() => app.close());

  const read = async (filter: AuditFilter = {}, page: { first?: number; after?: string } = {}) => {
    const { auditLog } = await app.ask(AuditLogDocument, { filter, first: 100, ...page });
    return auditLog;
  };
  /** Sends a mutation as text and returns its payload. */
  async function mutate(name: string, input: string, fields: string, headers: Record<string, string> = {}) {
    const query = `mutation { ${name}(input: ${input}) { ${fields} userErrors { code message } } }`;
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
    const { data, errors } = (await response.json()) as { data: Record<string, object>; errors?: unknown };
    expect(errors, name).toBeUndefined();
    const payload = data[name] as unknown as Record<string, unknown>;
    expect(payload.userErrors, name).toEqual([]);
    return payload;
  }
  const imageOf = async (name: string, input: string) =>
    (await mutate(name, input, 'image { id uuid }')).image as { id: string; uuid: string };
  const newImage = async () => {
    const id = (await upload(app, { content: picture })).image?.id ?? '';
    return { id, uuid: atob(id).split(':')[1] ?? '' };
  };

  /** Deletes the bytes of the picture from the database. */
  const loseCopy = () =>
    app.database.query(`DELETE FROM stored_objects WHERE key LIKE '%' || $1 || '%'`, [
      createHash('sha256').update(picture).digest('hex'),
    ]);

  /** URL of a new image. */
  const address = async () => (await app.ask(ImageByIdDocument, await newImage())).image?.url;

  const inTrash = async () => {
    const { id } = await newImage();
    await mutate('deleteImage', `{ id: "${id}" }`, 'image { id }');
    return id;
  };
  const scheduled = async () => {
    const input = `{ prompt: "a fox", userId: "u1", waitSeconds: 0, scheduledFor: "${new Date(Date.now() + 3_600_000).toISOString()}" }`;
    const { images } = (await mutate('generateImage', input, 'images { id uuid }')) as never as {
      images: [{ id: string; uuid: string }];
    };
    return images[0];
  };

  /** For each mutation: runs it, and returns the subject of the entry that it must leave. */
  const MUTATIONS: Readonly<Record<string, { action: keyof typeof AUDIT_ACTIONS; run(): Promise<string> }>> =
    {
      uploadImage: { action: 'image.upload', run: async () => (await newImage()).uuid },
      importImage: {
        action: 'image.import',
        run: async () => (await imageOf('importImage', `{ url: "${await address()}" }`)).uuid,
      },
      recordImage: {
        action: 'image.record',
        run: async () => (await imageOf('recordImage', `{ url: "${await address()}", tool: "x" }`)).uuid,
      },
      generateImage: { action: 'image.generate', run: async () => (await scheduled()).uuid },
      cancelGeneration: {
        action: 'image.cancel',
        run: async () => (await imageOf('cancelGeneration', `{ id: "${(await scheduled()).id}" }`)).uuid,
      },
      regenerateImage: {
        action: 'image.regenerate',
        async run() {
          const { id, uuid } = await scheduled();
          await imageOf('cancelGeneration', `{ id: "${id}" }`);
          await imageOf('regenerateImage', `{ id: "${id}", waitSeconds: 0 }`);
          return uuid;
        },
      },
      updateImage: {
        action: 'image.update',
        run: async () =>
          (await imageOf('updateImage', `{ id: "${(await newImage()).id}", addTags: ["seen"] }`)).uuid,
      },
      deleteImage: {
        action: 'image.delete',
        run: async () => (await imageOf('deleteImage', `{ id: "${(await newImage()).id}" }`)).uuid,
      },
      undeleteImage: {
        action: 'image.undelete',
        run: async () => (await imageOf('undeleteImage', `{ id: "${await inTrash()}" }`)).uuid,
      },
      purgeImage: {
        action: 'image.purge',
        async run() {
          const { id, uuid } = await newImage();
          await mutate('purgeImage', `{ id: "${id}" }`, 'purgedId');
          return uuid;
        },
      },
      restoreImage: {
        action: 'image.restore',
        async run() {
          const { id, uuid } = await newImage();
          await loseCopy();
          await mutate('restoreImage', `{ id: "${id}" }`, 'restored { store }');
          return uuid;
        },
      },
      createUploadTarget: {
        action: 'upload.create',
        async run() {
          const input = `{ filename: "a.png", mimeType: "image/png", bytes: ${picture.length}, sha256: "${createHash('sha256').update(picture).digest('hex')}" }`;
          const payload = await mutate('createUploadTarget', input, 'target { id }');
          return (payload.target as { id: string }).id;
        },
      },
      completeUpload: {
        action: 'image.upload',
        async run() {
          const input = `{ filename: "a.png", mimeType: "image/png", bytes: ${picture.length}, sha256: "${createHash('sha256').update(picture).digest('hex')}" }`;
          const { target } = (await mutate(
            'createUploadTarget',
            input,
            'target { id url headers { name value } }',
          )) as never as { target: { id: string; url: string; headers: { name: string; value: string }[] } };
          await fetch(target.url, {
            method: 'PUT',
            body: new Uint8Array(picture),
            headers: Object.fromEntries(target.headers.map(({ name, value }) => [name, value])),
          });
          return (await imageOf('completeUpload', `{ target: "${target.id}" }`)).uuid;
        },
      },
      createToken: {
        action: 'token.create',
        async run() {
          const payload = await mutate(
            'createToken',
            '{ name: "new", scopes: [IMAGES_READ] }',
            'apiToken { id }',
          );
          return (payload.apiToken as { id: string }).id;
        },
      },
      revokeToken: {
        action: 'token.revoke',
        async run() {
          const payload = await mutate(
            'createToken',
            '{ name: "old", scopes: [IMAGES_READ] }',
            'apiToken { id }',
          );
          const { id } = payload.apiToken as { id: string };
          await mutate('revokeToken', `{ id: "${id}" }`, 'apiToken { id }');
          return id;
        },
      },
      createRetentionPolicy: { action: 'policy.create', run: () => newPolicy('made') },
      updateRetentionPolicy: {
        action: 'policy.update',
        async run() {
          const name = await newPolicy('changed');
          await mutate('updateRetentionPolicy', `{ name: "${name}", enabled: false }`, 'policy { name }');
          return name;
        },
      },
      deleteRetentionPolicy: {
        action: 'policy.delete',
        async run() {
          const name = await newPolicy('gone');
          await mutate('deleteRetentionPolicy', `{ name: "${name}" }`, 'policy { name }');
          return name;
        },
      },
      runRetention: {
        action: 'run.start',
        async run() {
          const name = await newPolicy('to-run');
          const payload = await mutate('runRetention', `{ name: "${name}", maxShare: 1 }`, 'run { id }');
          await runsEnded();
          return (payload.run as { id: string }).id;
        },
      },
      createWebhook: { action: 'webhook.create', run: newWebhook },
      updateWebhook: {
        action: 'webhook.update',
        run: () => changedWebhook('updateWebhook', 'enabled: false', 'webhook { id }'),
      },
      deleteWebhook: {
        action: 'webhook.delete',
        run: () => changedWebhook('deleteWebhook', '', 'deletedId'),
      },
      rotateWebhookSecret: {
        action: 'webhook.rotate',
        run: () => changedWebhook('rotateWebhookSecret', 'overlapHours: 1', 'secret'),
      },
      sendTestWebhook: {
        action: 'webhook.test',
        run: () => changedWebhook('sendTestWebhook', '', 'delivery { id }'),
      },
      replayWebhookDeliveries: {
        action: 'webhook.replay',
        run: () => changedWebhook('replayWebhookDeliveries', 'after: "2026-01-01"', 'replayed'),
      },
      replayWebhookDelivery: {
        action: 'webhook.replay',
        async run() {
          const id = await newWebhook();
          const payload = await mutate('sendTestWebhook', `{ id: "${id}" }`, 'delivery { id }');
          const delivery = (payload.delivery as { id: string }).id;
          await mutate('replayWebhookDelivery', `{ id: "${delivery}" }`, 'delivery { id }');
          return id;
        },
      },
      ...Object.fromEntries(
        (['update', 'delete', 'undelete', 'restore', 'purge'] as const).map((verb) => [
          `${verb}Images`,
          {
            action: `image.${verb}`,
            async run() {
              const { uuid } = await newImage();
              if (verb === 'restore') await loseCopy();
              const input = verb === 'update' ? ', addTags: ["audited"]' : '';
              await mutate(`${verb}Images`, `{ ids: ["${uuid}"]${input} }`, 'results { outcome }');
              return uuid;
            },
          },
        ]),
      ),
      startVerify: { action: 'run.start', run: () => started('startVerify') },
      startRestore: { action: 'run.start', run: () => started('startRestore') },
      cancelMaintenanceRun: {
        action: 'run.cancel',
        async run() {
          const { id } = await app.database
            .query<{ id: string }>(
              `INSERT INTO maintenance_runs (kind, stores, options, started_by) VALUES ('VERIFY', '{}', '{}', 'test') RETURNING id`,
            )
            .then(([row]) => row as { id: string });
          await mutate('cancelMaintenanceRun', `{ id: "${btoa(`MaintenanceRun:${id}`)}" }`, 'run { id }');
          return id;
        },
      },
    };

  async function newWebhook(): Promise<string> {
    const input = '{ url: "http://93.184.215.14/", enabled: false }';
    return ((await mutate('createWebhook', input, 'webhook { id }')).webhook as { id: string }).id;
  }
  async function changedWebhook(name: string, input: string, fields: string): Promise<string> {
    const id = await newWebhook();
    await mutate(name, `{ id: "${id}", ${input} }`, fields);
    return id;
  }

  async function started(name: string): Promise<string> {
    const { run } = (await mutate(name, '{}', 'run { id }')) as never as { run: { id: string } };
    await runsEnded();
    return run.id;
  }

  async function newPolicy(name: string): Promise<string> {
    const input = `{ name: "${name}", maxAgeDays: 5, images: { userId: "old" } }`;
    await mutate('createRetentionPolicy', input, 'policy { name }');
    return name;
  }

  async function runsEnded(): Promise<void> {
    await eventually(async () => {
      const rows = await app.database.query(
        `SELECT 1 FROM maintenance_runs WHERE state IN ('PENDING', 'RUNNING')`,
      );
      expect(rows).toEqual([]);
    });
  }

  test('has a case for every mutation of the schema', () => {
    expect(Object.keys(MUTATIONS).sort()).toEqual(
      Object.keys(schema.getMutationType()?.getFields() ?? {}).sort(),
    );
  });

  test.each(Object.keys(MUTATIONS))('records %s, as done by the client', async (name) => {
    const { action, run } = MUTATIONS[name] as (typeof MUTATIONS)[string];
    const subject = await run();
    const { edges } = await read({ subject });
    expect(edges[0]?.node).toMatchObject({
      action: action.replace('.', '_').toUpperCase(),
      actorKind: 'ROOT',
      actorName: 'root',
    });
  });

  test('leaves out what only a newer server knows', async () => {
    const subject = randomUUID();
    await app.database.query(
      `INSERT INTO audit_entries (actor_kind, actor_name, action, subject_type, subject_id) VALUES ('root', 'root', 'future.act', 'future', $1)`,
      [subject],
    );
    expect((await read({ subject })).edges).toEqual([]);
    expect((await read({})).edges.length).toBeGreaterThan(0);
  });

  test('names the client by its token, a command by its user, and the server by its job', async () => {
    const { token } = (await mutate(
      'createToken',
      '{ name: "writer", userId: "u7", scopes: [IMAGES_WRITE] }',
      'token',
    )) as { token: string };
    const input = '{ filename: "a.png", mimeType: "image/png", bytes: 9 }';
    await mutate('createUploadTarget', input, 'target { id }', { authorization: `Bearer ${token}` });
    const { edges } = await read({ actor: 'writer' });
    expect(edges.map(({ node }) => node)).toMatchObject([{ actorKind: 'TOKEN', action: 'UPLOAD_CREATE' }]);

    const subject = (await newImage()).uuid;
    const entry = { action: 'image.update', subject } as const;
    await asActor({ kind: 'command', name: 'ada' }, () => recordAudit(app.database, entry));
    await recordAudit(app.database, entry);
    const entries = (await read({ subject, actions: ['IMAGE_UPDATE'] })).edges.map(({ node }) => node);
    expect(entries.map(({ actorKind, actorName }) => [actorKind, actorName])).toEqual([
      ['JOB', 'server'],
      ['COMMAND', 'ada'],
    ]);
  });

  test('names the policy by which retention puts an image into the trash', async () => {
    const { image } = await upload(app, { content: picture }, { userId: 'old' });
    const uuid = atob(image?.id ?? '').split(':')[1] ?? '';
    await app.database.query(
      `UPDATE generated_images SET created_at = now() - interval '10 days' WHERE uuid = $1`,
      [uuid],
    );
    await newPolicy('ten-days');
    await mutate('runRetention', '{ name: "ten-days", maxShare: 1 }', 'run { id }');
    await runsEnded();
    expect((await read({ subject: uuid })).edges[0]?.node).toMatchObject({
      action: 'IMAGE_DELETE',
      actorKind: 'JOB',
      actorName: 'retention',
      details: { policy: 'ten-days' },
    });
  });

  test('keeps no entry of a change that is rolled back', async () => {
    const { uuid } = await newImage();
    const entry = { action: 'image.update', subject: uuid } as const;
    await expect(
      app.database.transaction(async (transaction) => {
        await recordAudit(transaction, entry);
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    expect((await read({ subject: uuid })).edges).toHaveLength(1);
  });

  test('has no secrets, and no details beyond their limit', async () => {
    const { uuid: subject } = await newImage();
    const details = { long: 'x'.repeat(3000) };
    await recordAudit(app.database, { action: 'image.update', subject, details });
    const [entry] = (await read({ subject, actions: ['IMAGE_UPDATE'] })).edges;
    expect(entry?.node.details).toBeNull();
    const { token } = (await mutate('createToken', '{ name: "s", scopes: [ADMIN] }', 'token')) as {
      token: string;
    };
    const rows = await app.database.query(
      `SELECT 1 FROM audit_entries WHERE details::text LIKE '%' || $1 || '%'`,
      [token.slice(8)],
    );
    expect(rows).toEqual([]);
  });

  test('is read in pages, newest first, by filters that must all match', async () => {
    const all = (await read()).edges.map(({ node }) => node);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await read({}, { first: 7, ...(after ? { after } : {}) });
      seen.push(...page.edges.map(({ node }) => node.id));
      after = page.pageInfo.hasNextPage ? (page.pageInfo.endCursor ?? undefined) : undefined;
    } while (after);
    expect(seen.slice(0, 100)).toEqual(all.map(({ id }) => id));
    expect(all.length).toBeGreaterThan(20);
    for (const filter of [
      { actor: 'root', actions: ['IMAGE_DELETE', 'TOKEN_CREATE'] as const },
      { actorKind: 'COMMAND' as const },
      { after: all[10]?.createdAt, before: all[3]?.createdAt },
    ]) {
      const found = (await read(filter as AuditFilter)).edges.map(({ node }) => node.id);
      const expected = all.filter(
        (each) =>
          (!('actor' in filter) || each.actorName === filter.actor) &&
          (!('actions' in filter) || filter.actions?.some((action) => action === each.action)) &&
          (!('actorKind' in filter) || each.actorKind === filter.actorKind) &&
          (!('after' in filter) ||
            (each.createdAt >= (filter.after ?? '') && each.createdAt < (filter.before ?? ''))),
      );
      expect(found.length).toBeGreaterThan(0);
      expect(found).toEqual(expected.map(({ id }) => id));
    }
  });

  test('refuses a subject that is no id, and a page that is too large', async () => {
    const wrong = await app.send(AuditLogDocument, { filter: { subject: 'no id!' } });
    expect(wrong.errors?.[0]).toMatchObject({ extensions: { code: 'INVALID_ID' } });
    const large = await app.send(AuditLogDocument, { first: 101 });
    expect(large.errors?.[0]).toMatchObject({ extensions: { code: 'INVALID_INPUT' } });
  });

  test('forgets entries after AUDIT_DAYS', async () => {
    const { uuid: subject } = await newImage();
    await app.database.query(
      `UPDATE audit_entries SET created_at = now() - interval '10 days' WHERE subject_id = $1`,
      [subject],
    );
    expect(await trimAudit(app.database, 11, new AbortController().signal)).toBe(0);
    expect(await trimAudit(app.database, 9, new AbortController().signal)).toBe(1);
    expect((await read({ subject })).edges).toEqual([]);
  });
});
