/** Scopes of tokens, with their descriptions in the schema. */
export const SCOPES = {
  'images:read': 'Read images, lists and statistics, and subscribe to changes.',
  'images:write': 'Upload, import, record, update, restore, delete and purge images.',
  'images:generate': 'Generate and regenerate images, and cancel generations.',
  'stores:read': 'Read the state of the stores, and `/metrics`.',
  admin: 'Everything, for every user, including the management of tokens.',
} as const;

export type Scope = keyof typeof SCOPES;

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);

/** Scopes that concern images. */
export const IMAGE_SCOPES: readonly Scope[] = ['images:read', 'images:write', 'images:generate'];

/** Sender of a request, and its permissions. */
export interface Caller {
  readonly kind: 'root' | 'token' | 'jwt';
  /** Name of the token, or the user; for logs. */
  readonly name: string;
  /** User whose images the caller can access; null: every user's, and it may act for every user. */
  readonly userId: string | null;
  /** Owner of new images if the input names none. */
  readonly defaultUserId: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** Owner of images that are created without a user. */
export const ROOT_USER = 'root';

/** Caller with the root token: the operator. */
export const ROOT: Caller = makeCaller({ kind: 'root', name: ROOT_USER, userId: null, scopes: ['admin'] });

/** Returns a caller. An admin acts for every user; its own user is only the default owner of new images. */
export function makeCaller(facts: {
  kind: Caller['kind'];
  name: string;
  userId: string | null;
  scopes: readonly Scope[];
}): Caller {
  const { userId, scopes, ...rest } = facts;
  return Object.freeze({
    ...rest,
    userId: scopes.includes('admin') ? null : userId,
    defaultUserId: userId ?? ROOT_USER,
    scopes: new Set(scopes),
  });
}
