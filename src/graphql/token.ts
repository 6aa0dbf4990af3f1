import { SCOPES } from '../auth/caller.ts';
import { type ApiToken as ApiTokenShape, MAX_LISTED } from '../auth/tokens.ts';
import { builder } from './builder/builder.ts';
import { encodeId } from './builder/global-id.ts';
import { answer, type Payload, USER_ERRORS } from './mutations/payload.ts';

const Scope = builder.enumType('Scope', {
  description: 'What a token allows.',
  values: {
    IMAGES_READ: { value: 'images:read', description: SCOPES['images:read'] },
    IMAGES_WRITE: { value: 'images:write', description: SCOPES['images:write'] },
    IMAGES_GENERATE: { value: 'images:generate', description: SCOPES['images:generate'] },
    STORES_READ: { value: 'stores:read', description: SCOPES['stores:read'] },
    ADMIN: { value: 'admin', description: SCOPES.admin },
  } as const,
});

const ApiToken = builder.objectRef<ApiTokenShape>('ApiToken').implement({
  description: 'A token that lets a program in. The token itself is shown once, when it is made.',
  interfaces: [builder.nodeInterfaceRef() as never],
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'scopes' in value && 'start' in value,
  fields: (t) => ({
    id: t.id({
      description: 'Opaque, and the same for ever. `revokeToken` and `node` take it.',
      resolve: ({ id }) => encodeId({ type: 'ApiToken', key: id }),
    }),
    name: t.exposeString('name', { description: 'For people, as `createToken` was given it.' }),
    start: t.exposeString('start', { description: 'Its first characters, by which to tell tokens apart.' }),
    userId: t.exposeString('userId', {
      nullable: true,
      description: 'Whose images it sees and changes; null: a service, which may act for any user.',
    }),
    scopes: t.field({ type: [Scope], description: 'What it allows.', resolve: ({ scopes }) => [...scopes] }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'null: it does not expire.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'To the minute; null: never.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was ended; null: it was not.',
    }),
  }),
});

builder.queryField('tokens', (t) =>
  t.field({
    type: [ApiToken],
    description: `The tokens, newest first, at most ${MAX_LISTED}. For admins.`,
    args: {
      revoked: t.arg.boolean({ defaultValue: false, description: 'Also those that were revoked.' }),
    },
    resolve: (_root, { revoked }, { services }) => services.tokens.list({ revoked: revoked ?? false }),
  }),
);

const CreateTokenInput = builder.inputType('CreateTokenInput', {
  description: 'Whom a token is for, and what it allows.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'For people, up to 100 characters.' }),
    userId: t.string({
      description:
        'User whose images the token sees and changes, up to 255 characters. Without it the token is a service and may act for any user.',
    }),
    scopes: t.field({
      type: [Scope],
      required: true,
      description: 'What it allows: one or more, INVALID_INPUT for none.',
    }),
    expiresAt: t.field({ type: 'DateTime', description: 'It does not expire without it.' }),
  }),
});

const RevokeTokenInput = builder.inputType('RevokeTokenInput', {
  description: 'The token that is to end.',
  fields: (t) => ({
    id: t.id({
      required: true,
      description:
        'Which token: its `id`, or the UUID that `fixative token list` shows; INVALID_ID for anything else.',
    }),
  }),
});

interface TokenPayload extends Payload {
  readonly apiToken: ApiTokenShape | null;
}

interface NewTokenPayload extends TokenPayload {
  readonly token: string | null;
}

const API_TOKEN = {
  type: ApiToken,
  nullable: true,
  description: 'What is told of the token at any time; null where `userErrors` says why.',
} as const;

const CreateTokenPayload = builder.objectRef<NewTokenPayload>('CreateTokenPayload').implement({
  description: 'The new token, or why there is none.',
  fields: (t) => ({
    token: t.exposeString('token', {
      nullable: true,
      description: 'The token, for this once: only its hash is kept. It goes with `Authorization: Bearer`.',
    }),
    apiToken: t.expose('apiToken', API_TOKEN),
    userErrors: t.expose('userErrors', USER_ERRORS),
  }),
});

const RevokeTokenPayload = builder.objectRef<TokenPayload>('RevokeTokenPayload').implement({
  description: 'The token that has ended, or why none has.',
  fields: (t) => ({
    apiToken: t.expose('apiToken', API_TOKEN),
    userErrors: t.expose('userErrors', USER_ERRORS),
  }),
});

builder.mutationFields((t) => ({
  createToken: t.field({
    type: CreateTokenPayload,
    description: 'Makes a token. For admins.',
    args: {
      input: t.arg({
        type: CreateTokenInput,
        required: true,
        description: 'For whom, for what and for how long.',
      }),
    },
    resolve: (_root, { input }, { services }) =>
      answer<NewTokenPayload>({ token: null, apiToken: null }, async () => ({
        payload: await services.tokens.create(input),
      })),
  }),
  revokeToken: t.field({
    type: RevokeTokenPayload,
    description:
      'Ends a token: here at once, at other servers of the same database within ten seconds. For admins.',
    args: {
      input: t.arg({
        type: RevokeTokenInput,
        required: true,
        description: 'Which token; one that was revoked before keeps its time.',
      }),
    },
    resolve: (_root, { input: { id } }, { services }) =>
      answer<TokenPayload>({ apiToken: null }, async () => ({
        payload: { apiToken: await services.tokens.revoke(String(id)) },
      })),
  }),
}));
