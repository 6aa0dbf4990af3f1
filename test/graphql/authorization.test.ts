import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildClientSchema, getIntrospectionQuery, getNamedType, isObjectType, parse } from 'graphql';
import type { FormData } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordAudit } from '../../src/audit/audit.ts';
import { SCOPES, type Scope } from '../../src/auth/caller.ts';
import { NODE_TYPES } from '../../src/graphql/builder/global-id.ts';
import { schema as builtSchema } from '../../src/graphql/schema.ts';
import { follow } from '../generation/follow.ts';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';

/**
 * Callers to try. The owner and the other user may do everything with their own images; the service has no
 * user.
 */
const ACTORS = ['nobody', 'lacking', 'other', 'owner', 'service', 'admin'] as const;
type Actor = (typeof ACTORS)[number];
const OWNER = 'alice';
const OTHER = 'bob';

interface Subject {
  readonly id: string;
  readonly row: number;
}

/** Request to try: a document, sent as a form when there is a file. */
interface Asked {
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly file?: Uint8Array;
}

interface Answer {
  readonly status: number;
  readonly body: {
    data?: Record<string, never> | null;
    errors?: { message: string; extensions: { code: string } }[];
  };
  readonly text: string;
}

/**
 * One way to reach an image.
 *  - `about`: the request names an image of the owner. Actors who may see the image get an answer that passes
 *    `finds`. The other user gets exactly the answer for an image that does not exist, and the image stays
 *    unchanged.
 *  - `leads`: the field leads from the actor's own image (`host`) to the owner's, once `link` connected them.
 *  - `makes`: the request creates an image, whose owner `owner` returns.
 *  - `open`: the request concerns no image; only the scope decides.
 *  - `follows`: a subscription, which has tests of its own below.
 */
type Way =
  | {
      kind: 'about';
      subject?: () => Promise<Subject>;
      ask: (id: string) => Asked;
      finds: (data: never, id: string) => boolean;
    }
  | { kind: 'leads'; link: (subject: Subject, host: Subject) => Promise<unknown>; field: string }
  | {
      kind: 'makes';
      ask: (user: { userId?: string }) => Asked | Promise<Asked>;
      owner: (data: never) => unknown;
    }
  | { kind: 'open'; ask: () => Asked | Promise<Asked> }
  | { kind: 'follows' };

let app: TestApp;
let tokens: Record<Exclude<Actor, 'nobody' | 'lacking'>, string>;
let files: Server;
let base: Subject & { sha256: string };
let picture: Uint8Array;

const all = Object.keys(SCOPES).filter((scope) => scope !== 'admin');
const newToken = async (userId: string | null, scopes: readonly string[]) =>
  (await app.services.tokens.create({ name: `${userId} ${scopes}`, userId, scopes })).token;

beforeAll(async () => {
  picture = await makePicture({ seed: 47_001 });
  files = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'image/png' }).end(picture);
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  app = await openTestApp({ ALLOW_PRIVATE_SOURCES: '127.0.0.1' });
  tokens = {
    owner: await newToken(OWNER, all),
    other: await newToken(OTHER, all),
    service: await newToken(null, all),
    admin: ROOT_TOKEN,
  };
  const { body } = await send('admin', {
    query: `mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { id databaseId sha256 } } }`,
    variables: { input: { file: null, userId: 'somebody-else' } },
    file: picture,
  });
  const { image } = (body.data as never as { uploadImage: { image: Record<string, never> } }).uploadImage;
  base = { id: image.id as never, row: image.databaseId as never, sha256: image.sha256 as never };
  await app.storage.settled();
});
afterAll(async () => {
  await app.close();
  files.close();
});

async function send(actor: Actor, { query, variables, file }: Asked, scope?: Scope | null): Promise<Answer> {
  const lacking = async () => newToken(OWNER, [...all.filter((each) => each !== scope), ...NOT_EMPTY(scope)]);
  const token = actor === 'nobody' ? null : actor === 'lacking' ? await lacking() : tokens[actor];
  const authorization = token === null ? '' : `Bearer ${token}`;
  const headers: Record<string, string> = { authorization };
  let body: string | FormData;
  if (file) {
    body = uploadForm({ content: file }, {}, query);
    body.set('operations', JSON.stringify({ query, variables }));
  } else {
    body = JSON.stringify({ query, variables });
    headers['content-type'] = 'application/json';
  }
  const response = await app.fetch('/graphql', { method: 'POST', headers, body });
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text), text };
}
const NOT_EMPTY = (scope: Scope | null | undefined) => (scope === 'admin' ? ['images:read'] : []);

/** A row like that of the picture that was uploaded, for a user. */
async function keep(userId = OWNER): Promise<Subject> {
  const uuid = randomUUID();
  const [row] = await app.database.query<{ id: number }>(
    `INSERT INTO generated_images (uuid, user_id, tool_name, prompt, status, blob_id, sha256, bytes, mime_type, width, height, filename, storage_url, origin)
     SELECT $1::uuid, $2::text, tool_name, 'a secret of ' || $2::text, status, blob_id, sha256, bytes, mime_type, width, height,
       $1::text || '.png', '/images/' || $1::text || '/x.png', origin FROM generated_images WHERE id = $3 RETURNING id`,
    [uuid, userId, base.row],
  );
  return { id: uuid, row: row?.id ?? 0 };
}
const rowOf = async ({ row }: Subject) =>
  JSON.stringify(
    (await app.database.query('SELECT * FROM generated_images WHERE id = $1', [row])).map((each) =>
      JSON.stringify(each),
    ),
  );
const set = (column: string) => (subject: Subject, host: Subject) =>
  app.database.query(`UPDATE generated_images SET ${column} WHERE id = $2`, [subject.row, host.row]);

const byId = (field: string): Way => ({
  kind: 'about',
  ask: (id) => ({ query: `query ($id: ID!) { ${field} { id ... on Image { prompt } } }`, variables: { id } }),
  finds: (data) => JSON.stringify(data).includes(`secret of ${OWNER}`),
});
const change = (field: string, more = '', finds = 'secret of'): Way => ({
  kind: 'about',
  ask: (id) => ({
    query: `mutation ($id: ID!) { ${field}(input: { id: $id ${more} }) {
      ${field === 'purgeImage' ? 'purgedId' : 'image { id userId prompt }'} userErrors { code message path } } }`,
    variables: { id },
  }),
  finds: (data) => JSON.stringify(data).includes(finds),
});
const changes = (field: string, more = '', outcome = 'CHANGED'): Way => ({
  kind: 'about',
  ask: (id) => ({
    query: `mutation ($id: ID!) { ${field}(input: { ids: [$id] ${more} }) {
      results { outcome error { code message } image { prompt } } userErrors { code message path } } }`,
    variables: { id },
  }),
  finds: (data) => JSON.stringify(data).includes(`"outcome":"${outcome}"`),
});
const made = (field: string) => (data: never) =>
  (data as Record<string, { image: { userId: string } }>)[field]?.image?.userId;
const make = (field: string, input: string, more: () => Record<string, unknown>, file = false): Way => ({
  kind: 'makes',
  ask: (user) => ({
    query: `mutation ($input: ${input}!) { ${field}(input: $input) { image { userId } userErrors { message } } }`,
    variables: { input: { ...more(), ...user } },
    ...(file ? { file: picture } : {}),
  }),
  owner: made(field),
});
const address = () => `http://127.0.0.1:${(files.address() as AddressInfo).port}/x.png`;

const maintenance = (field: string, input: string): Asked => ({
  query: `mutation { ${field}(input: { ${input} }) { run { id } userErrors { code } } }`,
});

const policy = (field: string, input: string): Asked => ({
  query: `mutation { ${field}(input: { ${input} }) { policy { name } userErrors { code } } }`,
});

const WAYS: Record<string, Way> = {
  'Query.image': byId('image(id: $id)'),
  'Query.node': byId('node(id: $id)'),
  'Query.nodes': byId('nodes(ids: [$id, $id])'),
  'Query.images': {
    kind: 'about',
    ask: () => ({
      query: `{ images(filter: { trash: INCLUDE, parts: true }) { totalCount nodes { id prompt } edges { cursor node { id } } pageInfo { endCursor } } }`,
    }),
    finds: (data, id) => JSON.stringify(data).includes(Buffer.from(`Image:${id}`).toString('base64')),
  },
  'Query.imageStats': {
    kind: 'about',
    ask: () => ({ query: '{ imageStats(filter: { search: "secret" }) { total uniqueUsers totalBytes } }' }),
    finds: (data) => (data as { imageStats: { total: number } }).imageStats.total > 0,
  },
  'Query.tools': { kind: 'open', ask: () => ({ query: '{ tools { name } }' }) },
  'Query.models': { kind: 'open', ask: () => ({ query: '{ models { id } }' }) },
  'Query.imageFacets': {
    kind: 'about',
    ask: () => ({ query: '{ imageFacets(filter: { search: "secret" }) { users { value count bytes } } }' }),
    finds: (data) => JSON.stringify(data).includes(OWNER),
  },
  'Query.viewer': { kind: 'open', ask: () => ({ query: '{ viewer { userId scopes } }' }) },
  'Query.server': { kind: 'open', ask: () => ({ query: '{ server { version trashDays } }' }) },
  'Query.stores': { kind: 'open', ask: () => ({ query: '{ stores { name } }' }) },
  'Query.maintenanceRuns': { kind: 'open', ask: () => ({ query: '{ maintenanceRuns { id state } }' }) },
  'Query.quarantine': { kind: 'open', ask: () => ({ query: '{ quarantine { store key } }' }) },
  'Mutation.startVerify': { kind: 'open', ask: () => maintenance('startVerify', 'limit: 1') },
  'Mutation.startRestore': {
    kind: 'open',
    ask: () => maintenance('startRestore', 'filter: { userId: "none" }'),
  },
  'Query.retentionPolicies': { kind: 'open', ask: () => ({ query: '{ retentionPolicies { name } }' }) },
  'Query.previewRetention': {
    kind: 'open',
    ask: () => ({ query: '{ previewRetention(rule: { maxCount: 0 }) { images sample { image { id } } } }' }),
  },
  'Mutation.createRetentionPolicy': {
    kind: 'open',
    ask: () => policy('createRetentionPolicy', `name: "p-${randomUUID()}", maxCount: 1`),
  },
  'Mutation.updateRetentionPolicy': {
    kind: 'open',
    ask: () => policy('updateRetentionPolicy', 'name: "none", maxCount: 1'),
  },
  'Mutation.deleteRetentionPolicy': {
    kind: 'open',
    ask: () => policy('deleteRetentionPolicy', 'name: "none"'),
  },
  'Mutation.runRetention': { kind: 'open', ask: () => maintenance('runRetention', 'name: "none"') },
  'Query.durabilityStats': {
    kind: 'open',
    ask: () => ({ query: '{ durabilityStats { imagesComplete } }' }),
  },
  'Query.webhooks': { kind: 'open', ask: () => ({ query: '{ webhooks { id url } }' }) },
  'Query.webhook': {
    kind: 'open',
    ask: () => ({ query: `{ webhook(id: "${randomUUID()}") { id url } }` }),
  },
  'Mutation.createWebhook': {
    kind: 'open',
    ask: () => ({
      query:
        'mutation { createWebhook(input: { url: "http://93.184.215.14/", enabled: false }) { webhook { id } userErrors { message } } }',
    }),
  },
  ...Object.fromEntries(
    [
      ['updateWebhook', 'enabled: false'],
      ['deleteWebhook', ''],
      ['rotateWebhookSecret', ''],
      ['sendTestWebhook', ''],
      ['replayWebhookDeliveries', 'after: "2026-01-01T00:00:00Z"'],
      ['replayWebhookDelivery', ''],
    ].map(([name, input]) => [
      `Mutation.${name}`,
      {
        kind: 'open',
        ask: () => ({
          query: `mutation { ${name}(input: { id: "${randomUUID()}", ${input} }) { userErrors { message } } }`,
        }),
      },
    ]),
  ),
  'Query.tokens': { kind: 'open', ask: () => ({ query: '{ tokens { id name start } }' }) },
  'Query.auditLog': {
    kind: 'open',
    ask: () => ({ query: '{ auditLog(first: 1) { edges { node { id } } } }' }),
  },
  'Mutation.updateImage': change('updateImage', 'addTags: ["tried"]'),
  'Mutation.deleteImage': change('deleteImage'),
  'Mutation.undeleteImage': change('undeleteImage'),
  'Mutation.purgeImage': change('purgeImage', '', '"userErrors":[]'),
  'Mutation.restoreImage': change('restoreImage'),
  'Mutation.updateImages': changes('updateImages', 'addTags: ["tried"]'),
  'Mutation.deleteImages': changes('deleteImages'),
  'Mutation.undeleteImages': changes('undeleteImages', '', 'UNCHANGED'),
  'Mutation.restoreImages': changes('restoreImages', '', 'UNCHANGED'),
  'Mutation.purgeImages': changes('purgeImages'),
  'Mutation.regenerateImage': change('regenerateImage', 'waitSeconds: 0', 'healthy copy'),
  'Mutation.cancelGeneration': change('cancelGeneration', '', 'not being generated'),
  'Mutation.uploadImage': make('uploadImage', 'UploadImageInput', () => ({ file: null }), true),
  'Mutation.importImage': make('importImage', 'ImportImageInput', () => ({ url: address() })),
  'Mutation.recordImage': make('recordImage', 'RecordImageInput', () => ({ url: address(), tool: 'other' })),
  'Mutation.generateImage': {
    kind: 'makes',
    ask: (user) => ({
      query: `mutation ($input: GenerateImageInput!) { generateImage(input: $input) { images { userId } userErrors { message } } }`,
      variables: { input: { prompt: 'a fox', waitSeconds: 0, ...user } },
    }),
    owner: (data) =>
      (data as { generateImage: { images: { userId: string }[] } }).generateImage.images[0]?.userId,
  },
  'Mutation.createUploadTarget': {
    kind: 'makes',
    ask: (user) => ({
      query: `mutation ($input: CreateUploadTargetInput!) { createUploadTarget(input: $input) { target { id } userErrors { message } } }`,
      variables: { input: { filename: 'x.png', mimeType: 'image/png', bytes: 1000, ...user } },
    }),
    owner: async (data) => {
      const { target } = (data as { createUploadTarget: { target: { id: string } } }).createUploadTarget;
      const sql = 'SELECT user_id AS "userId" FROM upload_targets WHERE id = $1';
      return (await app.database.query<{ userId: string }>(sql, [target.id]))[0]?.userId;
    },
  },
  'Mutation.completeUpload': {
    kind: 'about',
    subject: async () => {
      const [row] = await app.database.query<{ id: string }>(
        `INSERT INTO upload_targets (user_id, kind, filename, mime_type, bytes, record, expires_at)
         VALUES ($1, 'server', 'x.png', 'image/png', 1000, '{}', now() + interval '1 hour') RETURNING id`,
        [OWNER],
      );
      return { id: row?.id ?? '', row: 0 };
    },
    ask: (id) => ({
      query: `mutation ($id: ID!) { completeUpload(input: { target: $id }) { image { id } userErrors { code message path } } }`,
      variables: { id },
    }),
    finds: (data) => JSON.stringify(data).includes('Nothing has arrived'),
  },
  'Mutation.createToken': {
    kind: 'open',
    ask: () => ({
      query: `mutation { createToken(input: { name: "tried", scopes: [ADMIN] }) { token apiToken { id } userErrors { message } } }`,
    }),
  },
  'Mutation.revokeToken': {
    kind: 'open',
    ask: async () => ({
      query: `mutation ($id: ID!) { revokeToken(input: { id: $id }) { apiToken { revokedAt } userErrors { message } } }`,
      variables: {
        id: (await app.services.tokens.create({ name: 'to go', scopes: ['admin'] })).apiToken.id,
      },
    }),
  },
  'Subscription.imageUpdated': { kind: 'follows' },
  'Subscription.imagesUpdated': { kind: 'follows' },
  'Subscription.maintenanceRunUpdated': { kind: 'follows' },
  'Image.parent': { kind: 'leads', field: 'parent { id prompt }', link: set('parent_id = $1') },
  'Image.whole': { kind: 'leads', field: 'whole { id prompt }', link: set(`part = 'p', part_of = $1`) },
  'Image.parts': {
    kind: 'leads',
    field: 'parts { id prompt }',
    link: (subject, host) => set(`part = 'p', part_of = $1`)(host, subject),
  },
  'Image.edits': {
    kind: 'leads',
    field: 'edits { id prompt }',
    link: (subject, host) => set('parent_id = $1')(host, subject),
  },
  'Image.duplicates': {
    kind: 'leads',
    field: 'duplicates { id prompt }',
    // A hash that no other image has, so that there are no other duplicates.
    link: async (subject, host) => {
      const sha256 = randomUUID().replaceAll('-', '').repeat(2);
      for (const { row } of [subject, host])
        await app.database.query('UPDATE generated_images SET sha256 = $1 WHERE id = $2', [sha256, row]);
    },
  },
  'Image.references': {
    kind: 'leads',
    field: 'references { id prompt }',
    link: (subject, host) =>
      app.database.query(
        `INSERT INTO generations (image_id, state, work, request) VALUES ($1, 'done', 'ask', $2::text::jsonb)`,
        [host.row, JSON.stringify({ references: [subject.id] })],
      ),
  },
};

/** These hold no more than the field answered that they are the payload of. */
const CARRIERS = new Set([
  'ImageConnection.nodes',
  'ImageEdge.node',
  'AuditEntry.image',
  'RetentionPreviewImage.image',
  'BulkImageResult.image',
]);
const isCarrier = (name: string) => CARRIERS.has(name) || /^\w+Payload\.images?$/.test(name);
/** Tried by tests of their own. */
const APART = new Set(['DuplicateError.image', 'Mutation.cancelMaintenanceRun']);

const scopeOf = (name: string): Scope | null => {
  const [typeName = '', field = ''] = name.split('.');
  const type = builtSchema.getType(typeName);
  return (isObjectType(type) ? type.getFields()[field]?.extensions.scope : undefined) as Scope | null;
};
const codeOf = ({ body }: Answer) => body.errors?.[0]?.extensions.code;

test('every field of the schema that leads to images or to the server has an entry here', async () => {
  const { body } = await send('admin', { query: getIntrospectionQuery() });
  const schema = buildClientSchema(body.data as never);
  const roots = ['Query', 'Mutation', 'Subscription'];
  const names = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type) =>
      Object.values(type.getFields())
        .filter(
          (field) =>
            roots.includes(type.name) ||
            ['Image', 'Node', 'ImageConnection'].includes(getNamedType(field.type).name),
        )
        .map((field) => `${type.name}.${field.name}`),
    )
    .filter((name) => !isCarrier(name) && !APART.has(name));
  expect(names.sort()).toEqual(Object.keys(WAYS).sort());
  expect(names.filter((name) => scopeOf(name) === undefined)).toEqual([]);
});

/** Registers a test when it applies to the kind of field. */
function testWhen(applies: boolean, name: string, run: () => Promise<void>): void {
  if (applies) test(name, run);
}

describe.each(Object.entries(WAYS))('%s', (name, way) => {
  const scope = scopeOf(name);
  const ask = async (): Promise<Asked> => {
    if (way.kind === 'about') return way.ask((await (way.subject ?? keep)()).id);
    if (way.kind === 'makes') return way.ask({});
    if (way.kind === 'open') return way.ask();
    if (way.kind === 'follows') {
      const field = name.split('.')[1];
      if (field === 'maintenanceRunUpdated') {
        const id = globalId('MaintenanceRun', await makeRun());
        return { query: `subscription { maintenanceRunUpdated(id: "${id}") { id } }` };
      }
      return {
        query: `subscription { ${field === 'imageUpdated' ? `imageUpdated(id: "${base.id}")` : field} { id } }`,
      };
    }
    const [host, subject] = [await keep(), await keep()];
    await way.link(subject, host);
    // By what a token without images:read can reach: an image that it writes.
    return {
      query: `mutation ($id: ID!) { updateImage(input: { id: $id }) { image { id ${way.field} } } }`,
      variables: { id: host.id },
    };
  };

  test('nobody is not let in', async () => {
    const answer = await send('nobody', await ask());
    expect([answer.status, codeOf(answer), answer.body.data]).toEqual([401, 'UNAUTHENTICATED', undefined]);
  });

  testWhen(scope !== null, `a token without ${scope} is refused at the top`, async () => {
    const answer = await send('lacking', await ask(), scope);
    expect(codeOf(answer), answer.text).toBe('FORBIDDEN');
    if (way.kind === 'leads') expect(answer.text).not.toContain('secret of');
    else expect(Object.values(answer.body.data ?? {}).every((value) => value === null)).toBe(true);
  });

  testWhen(way.kind === 'open', 'is for whoever has the scope', async () => {
    for (const actor of ['other', 'owner', 'service', 'admin'] as const) {
      const answer = await send(actor, await ask());
      if (scope === 'admin' && actor !== 'admin') expect(codeOf(answer), actor).toBe('FORBIDDEN');
      else expect(answer.body.errors, actor).toBeUndefined();
    }
  });

  testWhen(way.kind === 'makes', 'makes images for the own user, or for any', async () => {
    if (way.kind !== 'makes') return;
    const cases: [Actor, string | undefined, string | null][] = [
      ['other', OWNER, null],
      ['other', 'root', null],
      ['other', '', null],
      ['other', undefined, OTHER],
      ['other', OTHER, OTHER],
      ['owner', undefined, OWNER],
      ['service', OWNER, OWNER],
      ['service', undefined, 'root'],
      ['admin', OWNER, OWNER],
      ['admin', undefined, 'root'],
    ];
    for (const [actor, userId, owner] of cases) {
      const answer = await send(actor, await way.ask(userId === undefined ? {} : { userId }));
      if (owner === null) {
        expect(codeOf(answer), answer.text).toBe('FORBIDDEN');
        expect(Object.values(answer.body.data ?? {})).toEqual([null]);
      } else {
        expect(answer.body.errors, `${actor} for ${userId}`).toBeUndefined();
        expect(await way.owner(answer.body.data as never), `${actor} for ${userId}`).toBe(owner);
      }
    }
  });

  testWhen(
    way.kind === 'about',
    'is there for its user, a service and an admin, and for nobody else',
    async () => {
      if (way.kind !== 'about') return;
      const absent = randomUUID();
      const without = await send('other', way.ask(absent));
      const subject = await (way.subject ?? keep)();
      const before = await rowOf(subject);
      const answer = await send('other', way.ask(subject.id));
      expect(answer.text.replaceAll(subject.id, absent)).toBe(without.text);
      expect(answer.status).toBe(without.status);
      expect(await rowOf(subject)).toBe(before);
      for (const actor of ['owner', 'service', 'admin'] as const) {
        const { id } = await (way.subject ?? keep)();
        const found = await send(actor, way.ask(id));
        expect(found.body.errors, actor).toBeUndefined();
        expect(way.finds(found.body.data as never, id), `${actor}: ${found.text}`).toBe(true);
      }
    },
  );

  testWhen(way.kind === 'leads', 'leads to no image of somebody else', async () => {
    if (way.kind !== 'leads') return;
    const query = `query ($id: ID!) { image(id: $id) { id ${way.field} } }`;
    for (const actor of ['other', 'owner', 'service', 'admin'] as const) {
      const host = await keep(actor === 'owner' ? OWNER : OTHER);
      const subject = await keep();
      const asked = { query, variables: { id: host.id } };
      // No two of the other user's images share bytes, or they would be duplicates.
      await app.database.query('UPDATE generated_images SET sha256 = NULL WHERE id = $1', [host.row]);
      const before = await send(actor, asked);
      await way.link(subject, host);
      const after = await send(actor, asked);
      expect(after.body.errors).toBeUndefined();
      if (actor === 'other') expect(after.text).toBe(before.text);
      else expect(after.text, actor).toContain(`secret of ${OWNER}`);
    }
  });
});

/** Types that `node` finds. */
const NODES: Record<string, { make: () => Promise<string>; absent: () => string; seenBy: readonly Actor[] }> =
  {
    Image: {
      make: async () => globalId('Image', (await keep()).id),
      absent: () => globalId('Image', randomUUID()),
      seenBy: ['owner', 'service', 'admin'],
    },
    Copy: {
      make: async () => globalId('Copy', `${(await keep()).id}:filesystem`),
      absent: () => globalId('Copy', `${randomUUID()}:filesystem`),
      seenBy: ['owner', 'service', 'admin'],
    },
    MaintenanceRun: {
      make: async () => globalId('MaintenanceRun', await makeRun()),
      absent: () => globalId('MaintenanceRun', randomUUID()),
      // Every token here but the admin's has all scopes; a run belongs to no user.
      seenBy: ['other', 'owner', 'service', 'admin'],
    },
    ApiToken: {
      make: async () => {
        const scopes = ['images:read'];
        const { apiToken } = await app.services.tokens.create({ name: 'to find', userId: OWNER, scopes });
        return globalId('ApiToken', apiToken.id);
      },
      absent: () => globalId('ApiToken', randomUUID()),
      seenBy: ['admin'],
    },
    Webhook: {
      make: async () => globalId('Webhook', await makeWebhook()),
      absent: () => globalId('Webhook', randomUUID()),
      seenBy: ['admin'],
    },
    WebhookDelivery: {
      async make() {
        const [row] = await app.database.query<{ id: string }>(
          `WITH event AS (INSERT INTO webhook_events (type, payload, created_at) VALUES ('image.lost', '{}', now()) RETURNING id)
           INSERT INTO webhook_deliveries (webhook_id, event_id, state) SELECT $1::uuid, id, 'DELIVERED' FROM event RETURNING id`,
          [await makeWebhook()],
        );
        return globalId('WebhookDelivery', row?.id ?? '');
      },
      absent: () => globalId('WebhookDelivery', randomUUID()),
      seenBy: ['admin'],
    },
    AuditEntry: {
      async make() {
        await recordAudit(app.database, { action: 'run.start', subject: randomUUID() });
        const [row] = await app.database.query<{ id: number }>('SELECT max(id) AS id FROM audit_entries');
        return globalId('AuditEntry', String(row?.id));
      },
      absent: () => globalId('AuditEntry', '999999999999'),
      seenBy: ['admin'],
    },
  };
async function makeWebhook(): Promise<string> {
  const [row] = await app.database.query<{ id: string }>(
    `INSERT INTO webhooks (url, description, event_types, secret, enabled) VALUES ('https://example.org/', '', '{}', 's', false) RETURNING id`,
  );
  return row?.id ?? '';
}
/** Records a run that has ended. */
async function makeRun(): Promise<string> {
  const [row] = await app.database.query<{ id: string }>(
    `INSERT INTO maintenance_runs (kind, state, stores, options, started_by)
     VALUES ('VERIFY', 'COMPLETED', '{}', '{}', 'root') RETURNING id`,
  );
  return row?.id ?? '';
}
const globalId = (type: string, key: string) => Buffer.from(`${type}:${key}`).toString('base64');

describe('node', () => {
  test('is tried for every type that implements Node', async () => {
    const { body } = await send('admin', { query: getIntrospectionQuery() });
    const schema = buildClientSchema(body.data as never);
    const names = schema.getPossibleTypes(schema.getType('Node') as never).map(({ name }) => name);
    expect(names.sort()).toEqual(Object.keys(NODES).sort());
    expect([...NODE_TYPES].sort()).toEqual(names);
  });

  test.each(Object.entries(NODES))(
    'finds %s for those who see it',
    async (type, { make, absent, seenBy }) => {
      const query =
        'query ($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id]) { __typename id } }';
      const [id, none] = [await make(), absent()];
      for (const actor of ['other', 'owner', 'service', 'admin'] as const) {
        const answer = await send(actor, { query, variables: { id } });
        const without = await send(actor, { query, variables: { id: none } });
        expect(without.body, actor).toEqual({ data: { node: null, nodes: [null] } });
        const found = { __typename: type, id };
        if (seenBy.includes(actor))
          expect(answer.body, actor).toEqual({ data: { node: found, nodes: [found] } });
        else expect([answer.status, answer.text], actor).toEqual([without.status, without.text]);
      }
    },
  );

  test('asks the database for no token on behalf of somebody who is no admin', async () => {
    const { query } = app.database;
    const sent: string[] = [];
    const spied = app.services.database as { query: typeof query };
    spied.query = (text, values, options) => {
      sent.push(text);
      return query(text, values, options);
    };
    try {
      const id = await NODES.ApiToken?.make();
      sent.length = 0;
      const asked = { query: 'query ($id: ID!) { nodes(ids: [$id, $id]) { id } }', variables: { id } };
      await send('service', asked);
      expect(sent.filter((text) => text.includes('ANY($1::uuid[])'))).toEqual([]);
      await send('admin', asked);
      expect(sent.filter((text) => text.includes('ANY($1::uuid[])'))).toHaveLength(1);
    } finally {
      spied.query = query;
    }
  });

  test.each([
    globalId('Store', 'filesystem'),
    globalId('ApiToken', 'x'),
    globalId('Copy', 'x:filesystem'),
    globalId('Copy', randomUUID()),
    globalId('constructor', randomUUID()),
  ])('has INVALID_ID for what is no id: %s', async (id) => {
    const query = 'query ($id: ID!) { node(id: $id) { id } }';
    for (const actor of ['owner', 'admin'] as const)
      expect(codeOf(await send(actor, { query, variables: { id } }))).toBe('INVALID_ID');
  });
});

describe('subscriptions', () => {
  const one = parse('subscription ($id: ID!) { imageUpdated(id: $id) { prompt tags } }') as never;
  const many = parse('subscription { imagesUpdated { id prompt tags } }') as never;
  const touch = ({ row }: Subject, tag: string) =>
    app.database.query('UPDATE generated_images SET tags = $1::text[], updated_at = now() WHERE id = $2', [
      [tag],
      row,
    ]);

  test('follow an image for those who see it; for others there is none', async () => {
    const { id } = await keep();
    for (const token of [tokens.owner, tokens.service, tokens.admin]) {
      const events = follow(app, one, { id } as never, token);
      expect(JSON.stringify((await events.next()).value)).toContain('secret of');
      await events.return(undefined);
    }
    const absent = randomUUID();
    const fails = async (subject: string) =>
      follow(app, one, { id: subject } as never, tokens.other)
        .next()
        .then(JSON.stringify, String);
    expect((await fails(id)).replaceAll(id, absent)).toBe(await fails(absent));
  });

  test('bring the changes of own images only', async () => {
    const [mine, foreign] = [await keep(OTHER), await keep()];
    const events = follow(app, many, {} as never, tokens.other);
    const next = events.next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await touch(foreign, 'first');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await touch(mine, 'second');
    // Others of the same user may still be in the making.
    const seen = [JSON.stringify((await next).value)];
    while (!seen.at(-1)?.includes('second')) seen.push(JSON.stringify((await events.next()).value));
    expect(seen.at(-1)).toContain(`secret of ${OTHER}`);
    expect(seen.join()).not.toContain(foreign.id);
    expect(seen.join()).not.toContain(`secret of ${OWNER}`);
    await events.return(undefined);
  });

  test('refuse a filter for somebody else', async () => {
    const query = parse(`subscription { imagesUpdated(filter: { userId: "${OWNER}" }) { id } }`) as never;
    await expect(follow(app, query, {} as never, tokens.other).next()).rejects.toThrow('FORBIDDEN');
  });

  test('follow a run of maintenance for all who may read the state of the stores', async () => {
    const run = parse('subscription ($id: ID!) { maintenanceRunUpdated(id: $id) { id state } }') as never;
    const id = globalId('MaintenanceRun', await makeRun());
    for (const token of Object.values(tokens)) {
      const event = (await follow(app, run, { id } as never, token).next()).value;
      expect(event).toEqual({ maintenanceRunUpdated: { id, state: 'COMPLETED' } });
    }
    const reader = await newToken(null, ['images:read', 'images:write', 'images:generate']);
    await expect(follow(app, run, { id } as never, reader).next()).rejects.toThrow('FORBIDDEN');
  });

  test('end when the token is revoked', async () => {
    const { token, apiToken } = await app.services.tokens.create({
      name: 'to end',
      userId: OWNER,
      scopes: ['images:read'],
    });
    const image = await keep();
    const events = follow(app, one, { id: image.id } as never, token);
    await events.next();
    await app.services.tokens.revoke(apiToken.id);
    await touch(image, 'after');
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });
});

test('a mutation that is refused does not take away the payloads of those that have run', async () => {
  const { id } = await keep();
  const token = await newToken(OWNER, ['images:read', 'images:write']);
  const query = `mutation ($id: ID!) {
    before: updateImage(input: { id: $id, addTags: ["before"] }) { image { tags } userErrors { code } }
    made: generateImage(input: { prompt: "a fox" }) { images { id } }
    after: updateImage(input: { id: $id, addTags: ["after"] }) { image { tags } userErrors { code } }
  }`;
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { id } }),
  });
  expect(await response.json()).toMatchObject({
    data: {
      before: { image: { tags: ['before'] }, userErrors: [] },
      made: null,
      after: { image: { tags: ['before', 'after'] }, userErrors: [] },
    },
    errors: [{ path: ['made'], extensions: { code: 'FORBIDDEN' } }],
  });
});

describe('what leads round the way in', () => {
  const generate = (actor: Actor, input: object) =>
    send(actor, {
      query: `mutation ($input: GenerateImageInput!) { generateImage(input: $input) { images { id userId parent { id } } userErrors { code message path } } }`,
      variables: { input: { prompt: 'a fox', tool: 'imageEditor', waitSeconds: 0, ...input } },
    });

  test.each([
    ['a reference', (id: string) => ({ references: [{ id }] })],
    ['a mask', (id: string) => ({ references: [{ id: base.id }], mask: { id } })],
    ['a parent', (id: string) => ({ parentId: id })],
  ])('takes no image of somebody else as %s', async (_name, inputOf) => {
    const own = await keep(OTHER);
    const give = (id: string) => JSON.parse(JSON.stringify(inputOf(id)).replaceAll(base.id, own.id));
    const [subject, absent] = [await keep(), randomUUID()];
    const answer = await generate('other', give(subject.id));
    const without = await generate('other', give(absent));
    expect(answer.text.replaceAll(subject.id, absent)).toBe(without.text);
    expect(answer.text).toContain('NOT_FOUND');
    expect((await generate('service', give(subject.id))).text).toContain('"userErrors":[]');
  });

  test('a requestId is each user’s own', async () => {
    const requestId = randomUUID();
    const plain = { requestId, tool: 'generateUserImage' };
    const first = await generate('owner', plain);
    const second = await generate('other', { ...plain, prompt: 'another fox' });
    expect(second.text).not.toContain('CONFLICT');
    expect(second.text).toContain(`"userId":"${OTHER}"`);
    // The own one, said or not, is the same input.
    expect(await generate('owner', { ...plain, userId: OWNER })).toEqual(first);
  });

  test('bytes that somebody else has are no duplicate', async () => {
    const answer = await send('other', {
      query: `mutation ($input: UploadImageInput!) { uploadImage(input: $input) {
        image { userId duplicates { id } purgedBefore } userErrors { code ... on DuplicateError { image { id } } } } }`,
      variables: { input: { file: null, onDuplicate: 'ERROR' } },
      file: await (async () => {
        const content = await makePicture({ seed: 47_002 });
        await send('owner', {
          query: `mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { id } } }`,
          variables: { input: { file: null } },
          file: content,
        });
        return content;
      })(),
    });
    expect(answer.body).toEqual({
      data: {
        uploadImage: { image: { userId: OTHER, duplicates: [], purgedBefore: null }, userErrors: [] },
      },
    });
  });

  test.each(['images', 'imageStats'])('%s refuses a filter for somebody else', async (field) => {
    const inner = field === 'images' ? 'totalCount' : 'total';
    const query = `query ($userId: String) { ${field}(filter: { userId: $userId }) { ${inner} } }`;
    const answer = await send('other', { query, variables: { userId: OWNER } });
    expect(codeOf(answer)).toBe('FORBIDDEN');
    expect((await send('other', { query, variables: { userId: OTHER } })).body.errors).toBeUndefined();
    expect((await send('service', { query, variables: { userId: OWNER } })).body.errors).toBeUndefined();
  });

  test('a cursor of somebody else leads to own images only', async () => {
    await keep();
    const query =
      'query ($after: String) { images(first: 1, after: $after) { nodes { userId } pageInfo { endCursor } } }';
    const { body } = await send('owner', { query });
    const after = (body.data as never as { images: { pageInfo: { endCursor: string } } }).images.pageInfo
      .endCursor;
    const answer = await send('other', { query, variables: { after } });
    expect(answer.text).not.toContain(OWNER);
  });

  test('REST asks the same', async () => {
    await keep();
    const get = (actor: Exclude<Actor, 'nobody' | 'lacking'>, path: string) =>
      app.fetch(path, { headers: { authorization: `Bearer ${tokens[actor]}` } });
    const files = async (response: Awaited<ReturnType<typeof get>>) => {
      const { images } = (await response.json()) as { images: { url: string }[] };
      const uuids = images.map(({ url }) => /images\/([0-9a-f-]{36})/.exec(url)?.[1]);
      const sql = 'SELECT DISTINCT user_id AS "userId" FROM generated_images WHERE uuid = ANY($1::uuid[])';
      return (await app.database.query<{ userId: string }>(sql, [uuids])).map(({ userId }) => userId);
    };
    expect(await files(await get('owner', '/api/images/generated?first=100'))).toEqual([OWNER]);
    expect(await files(await get('service', '/api/images/generated?first=100'))).toContain(OTHER);
    const refused = await get('other', `/api/images/generated?userId=${OWNER}`);
    expect(refused.status).toBe(403);
    await refused.text();

    const reader = await newToken(OWNER, ['images:write']);
    for (const path of ['/api/images/generated', '/api/images/zip', '/metrics']) {
      const response = await app.fetch(path, { headers: { authorization: `Bearer ${reader}` } });
      expect(response.status).toBe(403);
      expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
      await response.text();
      const nobody = await app.fetch(path, { headers: { authorization: '' } });
      expect(nobody.status).toBe(401);
      await nobody.text();
    }
    expect((await (await get('owner', '/metrics')).text()).length).toBeGreaterThan(100);
  });

  test('bytes of a private image ask the same, and a signed address is for readers', async () => {
    const subject = await keep();
    await app.database.query(`UPDATE generated_images SET visibility = 'private' WHERE id = $1`, [
      subject.row,
    ]);
    const writer = await newToken(OWNER, ['images:write']);
    const status = async (path: string, token: string) => {
      const response = await app.fetch(path, {
        headers: { authorization: token && `Bearer ${token}` },
      });
      await response.arrayBuffer();
      return response.status;
    };
    for (const path of [
      `/images/${subject.id}`,
      `/generated/${subject.id}.png`,
      `/images/${subject.id}?w=64`,
    ]) {
      for (const token of ['', tokens.other, writer]) expect(await status(path, token), path).toBe(404);
      for (const actor of ['owner', 'service', 'admin'] as const)
        expect(await status(path, tokens[actor]), `${actor} ${path}`).toBe(200);
    }
    const field = 'url(expiresInSeconds: 60) visibility';
    const query = `query ($id: ID!) { image(id: $id) { ${field} } }`;
    const [answer, without] = [
      await send('other', { query, variables: { id: subject.id } }),
      await send('other', { query, variables: { id: randomUUID() } }),
    ];
    expect(answer.text).toBe(without.text);
    for (const actor of ['owner', 'service', 'admin'] as const) {
      const { text } = await send(actor, { query, variables: { id: subject.id } });
      expect(text).toContain('signature=');
    }
    const change = {
      query: `mutation ($id: ID!) { updateImage(input: { id: $id, addTags: ["x"] }) { image { ${field} } } }`,
      variables: { id: subject.id },
    };
    const refused = await send('lacking', change, 'images:read');
    expect([codeOf(refused), refused.text.includes('signature=')]).toEqual(['FORBIDDEN', false]);
  });

  test('every field of an image that takes arguments is tried here', async () => {
    const { body } = await send('admin', {
      query: '{ __type(name: "Image") { fields { name args { name } } } }',
    });
    const { fields } = (body.data as never as { __type: { fields: { name: string; args: unknown[] }[] } })
      .__type;
    const asking = fields.filter(({ args }) => args.length > 0).map(({ name }) => name);
    // An argument can ask for more than the image: that of `url`, tested above, can give others access.
    expect(asking.filter((name) => !WAYS[`Image.${name}`])).toEqual(['url']);
  });

  test('an admin with a user of its own acts for any, and makes its own by default', async () => {
    const token = await newToken('carol', ['admin']);
    const { id } = await keep();
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: `mutation ($id: ID!) { updateImage(input: { id: $id, addTags: ["seen"] }) { image { tags } }
          generateImage(input: { prompt: "x", waitSeconds: 0 }) { images { userId } } }`,
        variables: { id },
      }),
    });
    expect(await response.json()).toEqual({
      data: {
        updateImage: { image: { tags: ['seen'] } },
        generateImage: { images: [{ userId: 'carol' }] },
      },
    });
  });
});
