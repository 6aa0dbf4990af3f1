/**
 * Decides what a caller may do. GraphQL, REST and the delivery of bytes ask here. The functions of `image/`
 * get plain values: which user will own an image, and which user's images are visible.
 *
 * A caller with a user sees and changes only that user's images. For all others it gets the same response as
 * for images that do not exist: NOT_FOUND. FORBIDDEN means that the caller may never do this, and reveals
 * nothing about any image.
 *
 * Each GraphQL field declares its own scope, in `extensions.scope` (graphql/builder/require-scopes.ts).
 */
import { FixativeError } from '../errors.ts';
import type { Caller, Scope } from './caller.ts';

/** Scopes of the routes outside GraphQL. */
export const ROUTE_SCOPES = {
  '/api/backup': 'admin',
  '/api/images/generated': 'images:read',
  '/api/images/zip': 'images:read',
  /** For private images; public ones need no token. */
  '/images': 'images:read',
  '/metrics': 'stores:read',
} as const satisfies Record<string, Scope>;

export function allows(caller: Caller, scope: Scope): boolean {
  return caller.scopes.has(scope) || caller.scopes.has('admin');
}

/** @throws FixativeError FORBIDDEN */
export function requireScope(caller: Caller, scope: Scope): void {
  if (allows(caller, scope)) return;
  throw new FixativeError(
    'FORBIDDEN',
    `The token does not have the scope ${scope}, which this needs. Use a token that has it.`,
  );
}

/** Returns the user whose images the caller may see; null: every user's. */
export const visibleTo = (caller: Caller): string | null => caller.userId;

/** Returns whether the caller may see an image. */
export function canSee(caller: Caller, image: { readonly userId: string }): boolean {
  const userId = visibleTo(caller);
  return userId === null || image.userId === userId;
}

/** Returns whether the caller may fetch the bytes of a private image. */
export function canReadBytes(caller: Caller, image: { readonly userId: string }): boolean {
  return allows(caller, ROUTE_SCOPES['/images']) && canSee(caller, image);
}

/** Owner of an image that a caller creates. */
export interface Owner {
  readonly userId: string;
  /** User whose images it may be made from; null: every user's. */
  readonly visibleTo: string | null;
}

/**
 * Returns the owner of an image that a caller creates: the user that the input names, or else the caller's
 * own.
 * @throws FixativeError FORBIDDEN if the caller may not act for the user.
 */
export function ownerFor(caller: Caller, input: { readonly userId?: string | null | undefined }): Owner {
  const { userId } = input;
  if (userId != null) requireUser(caller, userId, ['input', 'userId']);
  return { userId: userId ?? caller.defaultUserId, visibleTo: visibleTo(caller) };
}

/**
 * Returns the filter, limited to the images that the caller may see.
 * @throws FixativeError FORBIDDEN if it names another user.
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
  throw new FixativeError('FORBIDDEN', 'The token is for another user. Leave userId out.', { path });
}
