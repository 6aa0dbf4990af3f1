/**
 * What a caller may do: the one place that decides it. Every way in (GraphQL, REST, bytes) asks here, and the functions of `image/` are told
 * the outcome as plain values: whose image it is to be, and whose images are visible.
 *
 * A caller with a user sees and changes that user's images. Of others it is answered what it would be if they were not there; so
 * "not yours" is never said, and NOT_FOUND is. FORBIDDEN says what a caller may not do at all, and tells nothing of any image.
 */
import { FixativeError } from '../errors.ts';
import type { Caller, Scope } from './caller.ts';

/**
 * The scope that each way in needs; null: whoever is let in. A field of Query, Mutation or Subscription that is not named here does not
 * get into the schema (graphql/builder/require-scopes.ts).
 */
export const NEEDED_SCOPES = {
  Query: {
    image: 'images:read',
    images: 'images:read',
    imageStats: 'images:read',
    node: 'images:read',
    nodes: 'images:read',
    tools: null,
    models: null,
    stores: 'stores:read',
    tokens: 'admin',
  },
  Mutation: {
    generateImage: 'images:generate',
    regenerateImage: 'images:generate',
    cancelGeneration: 'images:generate',
    uploadImage: 'images:write',
    importImage: 'images:write',
    recordImage: 'images:write',
    createUploadTarget: 'images:write',
    completeUpload: 'images:write',
    updateImage: 'images:write',
    deleteImage: 'images:write',
    undeleteImage: 'images:write',
    purgeImage: 'images:write',
    restoreImage: 'images:write',
    createToken: 'admin',
    revokeToken: 'admin',
  },
  Subscription: {
    imageUpdated: 'images:read',
    imagesUpdated: 'images:read',
  },
  /** From one image to others: who may write an image is answered it, and not what it leads to. */
  Image: {
    duplicates: 'images:read',
    edits: 'images:read',
    parent: 'images:read',
    parts: 'images:read',
    references: 'images:read',
    whole: 'images:read',
  },
  /** What `node` and `nodes` find, by type. Without the scope there is no such object. */
  Node: {
    ApiToken: 'admin',
    Copy: 'images:read',
    Image: 'images:read',
  },
  http: {
    '/api/images/generated': 'images:read',
    /** Of private images; public ones ask nobody. */
    '/images': 'images:read',
    '/metrics': 'stores:read',
  },
} as const satisfies Record<string, Record<string, Scope | null>>;

export function allows(caller: Caller, scope: Scope): boolean {
  return caller.scopes.has(scope) || caller.scopes.has('admin');
}

/** @throws FixativeError FORBIDDEN */
export function requireScope(caller: Caller, scope: Scope | null): void {
  if (scope === null || allows(caller, scope)) return;
  throw new FixativeError('FORBIDDEN', `The token does not allow this: it needs the scope ${scope}.`);
}

/** Whose images there are for a caller; null: everybody's. What `image/` is told where it looks for them. */
export const visibleTo = (caller: Caller): string | null => caller.userId;

/** The same of one image that was found already. */
export function canSee(caller: Caller, image: { readonly userId: string }): boolean {
  const userId = visibleTo(caller);
  return userId === null || image.userId === userId;
}

/** Whether the bytes of a private image are for the caller; those of a public one are for everybody. */
export function canReadBytes(caller: Caller, image: { readonly userId: string }): boolean {
  return allows(caller, NEEDED_SCOPES.http['/images']) && canSee(caller, image);
}

/** Whose an image is that a caller brings in, and whose images it may make it of. */
export interface Owner {
  readonly userId: string;
  /** null: everybody's. */
  readonly visibleTo: string | null;
}

/**
 * The user whom an input is for: the one that it names, where the caller may act for any, else the caller's own.
 * @throws FixativeError FORBIDDEN where it names somebody else.
 */
export function ownerFor(caller: Caller, input: { readonly userId?: string | null | undefined }): Owner {
  const { userId } = input;
  if (userId != null) requireUser(caller, userId, ['input', 'userId']);
  return { userId: userId ?? caller.defaultUserId, visibleTo: visibleTo(caller) };
}

/**
 * A filter of images that finds none but those that the caller sees.
 * @throws FixativeError FORBIDDEN where it asks for somebody else's.
 */
export function visibleFilter<Filter extends { readonly userId?: string | null | undefined }>(
  caller: Caller,
  filter: Filter | null | undefined,
): Filter {
  const userId = visibleTo(caller);
  if (userId === null) return filter ?? ({} as Filter);
  if (filter?.userId != null) requireUser(caller, filter.userId, ['filter', 'userId']);
  return { ...(filter as Filter), userId };
}

function requireUser(caller: Caller, userId: string, path: readonly string[]): void {
  if (caller.userId === null || caller.userId === userId) return;
  throw new FixativeError('FORBIDDEN', 'The token is for one user; leave userId out, or name that user.', {
    path,
  });
}
