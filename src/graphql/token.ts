import { SCOPES } from '../auth/caller.ts';
import { findTokenRows, MAX_LISTED } from '../auth/tokens.ts';
import { builder } from './builder/builder.ts';
import { LIST_COST, SCALAR_LIST_COST } from './builder/costs.ts';
import { encodeId } from './builder/global-id.ts';
import { mutation } from './mutations/mutation.ts';

export const Scope = builder.enumType('Scope', {
  description: 'A permission of a token.',
  values: {
    IMAGES_READ: { value: 'images:read', description: SCOPES['images:read'] },
    IMAGES_WRITE: { value: 'images:write', description: SCOPES['images:write'] },
    IMAGES_GENERATE: { value: 'images:generate', description: SCOPES['images:generate'] },
    STORES_READ: { value: 'stores:read', description: SCOPES['stores:read'] },
    ADMIN: { value: 'admin', description: SCOPES.admin },
  } as const,
});

type ScopeName = keyof typeof SCOPES;

/** Prisma reads the columns of the fields that a document selects; never the hash. */
export const ApiToken = builder.prismaObject('ApiToken', {
  description: 'An API token. The token itself is shown only once, when it is created.',
  select: { id: true },
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Globally unique ID, for `revokeToken` and `node`; it never changes.',
      resolve: ({ id }) => encodeId({ type: 'ApiToken', key: id }),
    }),
    name: t.exposeString('name', { description: 'Name of the token, for people.' }),
    start: t.exposeString('start', {
      description: 'First characters of the token, by which to tell tokens apart.',
    }),
    userId: t.exposeString('userId', {
      nullable: true,
      description: 'ID of the user whose images the token can access; null if it can act for every user.',
    }),
    scopes: t.field({
      type: [Scope],
      description: 'Permissions of the token.',
      select: { scopes: true },
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ scopes }) => scopes as ScopeName[],
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the token was created.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the token expires; null if it does not expire.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the token was last used, to the minute; null if it never was.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the token was revoked; null while it is active.',
    }),
  }),
});

builder.queryField('tokens', (t) =>
  t.prismaField({
    type: [ApiToken],
    description: `Returns the API tokens, newest first, at most ${MAX_LISTED}.`,
    extensions: { scope: 'admin', cost: LIST_COST },
    args: {
      revoked: t.arg.boolean({
        defaultValue: false,
        description: 'Whether to return revoked tokens too.',
      }),
    },
    resolve: (query, _root, { revoked }, { services }) =>
      findTokenRows(services.database, { revoked: revoked ?? false }, query),
  }),
);

/** Payload fields refer to a token by its id; Prisma reads its other columns. */
type TokenRef = { readonly id: string } | null;

mutation({
  name: 'createToken',
  scope: 'admin',
  description: 'Creates an API token.',
  input: {
    description: 'User and permissions of a new token.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Name of the token, for people; up to 100 characters.' }),
      userId: t.string({
        description:
          'ID of the user whose images the token can access, up to 255 characters. Default: none; the token can act for every user.',
      }),
      scopes: t.field({
        type: [Scope],
        required: true,
        description: 'Permissions of the token. INVALID_INPUT for an empty list.',
      }),
      expiresAt: t.field({
        type: 'DateTime',
        description: 'When the token expires. Default: never.',
      }),
    }),
  },
  payload: {
    description: 'Payload of `createToken`.',
    empty: { token: null as string | null, apiToken: null as TokenRef },
    fields: (t) => ({
      token: t.exposeString('token', {
        nullable: true,
        description:
          'The token, to send as `Authorization: Bearer …`. It is returned only this once, because the server keeps only its hash.',
      }),
      apiToken: t.expose('apiToken', {
        type: ApiToken,
        nullable: true,
        description: 'Details of the new token; null if the mutation failed and `userErrors` says why.',
      }),
    }),
  },
  resolve: (input, { services }) => services.tokens.create(input),
});

mutation({
  name: 'revokeToken',
  scope: 'admin',
  description:
    'Revokes an API token. This server refuses it at once, other servers of the same database within 10 seconds. A token that is already revoked keeps its `revokedAt`.',
  input: {
    description: 'The token to revoke.',
    fields: (t) => ({
      id: t.id({
        required: true,
        description:
          'ID of the token: `ApiToken.id`, or the UUID that `fixative token list` shows. INVALID_ID for anything else.',
      }),
    }),
  },
  payload: {
    description: 'Payload of `revokeToken`.',
    empty: { apiToken: null as TokenRef },
    fields: (t) => ({
      apiToken: t.expose('apiToken', {
        type: ApiToken,
        nullable: true,
        description: 'The revoked token; null if the mutation failed and `userErrors` says why.',
      }),
    }),
  },
  resolve: async ({ id }, { services }) => ({ apiToken: await services.tokens.revoke(String(id)) }),
});
