/** What a token can allow, and what each means. */
export const SCOPES = {
  'images:read': 'See images: lists, figures, one by one, and as they change.',
  'images:write': 'Upload, import, record, change, restore, delete and purge images.',
  'images:generate': 'Have images made, made again, and end that.',
  'stores:read': 'See the stores, and the figures of /metrics.',
  admin: 'Everything, for every user, and tokens themselves.',
} as const;

export type Scope = keyof typeof SCOPES;

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);

/** What a caller may do with images. */
export const IMAGE_SCOPES: readonly Scope[] = ['images:read', 'images:write', 'images:generate'];

/** Who is asking. */
export interface Caller {
  readonly kind: 'root' | 'token' | 'jwt';
  /** For people: the name of the token, or the user. */
  readonly name: string;
  /** Whose images it sees and changes; null: those of everybody, and it may act for any user. */
  readonly userId: string | null;
  /** The user whose an image is when the input names none. */
  readonly defaultUserId: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** The user whose images are that nobody else is named for. */
export const ROOT_USER = 'root';

/** The operator, who holds the root token. */
export const ROOT: Caller = makeCaller({ kind: 'root', name: ROOT_USER, userId: null, scopes: ['admin'] });

/** Whoever is an admin is so for every user; a user of its own is only whose images are by default. */
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
