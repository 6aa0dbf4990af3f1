/**
 * API tokens. A token is `fx_` and 256 random bits; whoever makes one is shown it once, and only its SHA-256 is kept. A token is looked up by
 * that hash: how long the look-up takes may tell something of a hash, of which nobody can make the token.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { InputError, NotFoundError } from '../errors.ts';
import { parseUuid } from '../image/image.ts';
import { LIMITS, parseOptional, parseText } from '../image/input.ts';
import { type Caller, isScope, makeCaller, SCOPES, type Scope } from './caller.ts';

/** What is told of a token. */
export interface ApiToken {
  readonly id: string;
  readonly name: string;
  /** Its first characters. */
  readonly start: string;
  readonly userId: string | null;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface TokenInput {
  /** For people, up to 100 characters. */
  readonly name: string;
  /** null: a service, which may act for any user. */
  readonly userId?: string | null | undefined;
  readonly scopes: readonly string[];
  /** Without it, never. */
  readonly expiresAt?: Date | null | undefined;
}

export interface Tokens {
  /** @throws InputError INVALID_INPUT. @returns the token itself besides, for this once. */
  create(input: TokenInput): Promise<{ token: string; apiToken: ApiToken }>;
  /**
   * Ends a token; one that has ended already keeps its time.
   * @param id its UUID, or its id in GraphQL. @throws InputError INVALID_ID, NotFoundError.
   */
  revoke(id: string): Promise<ApiToken>;
  /** Newest first, at most MAX_LISTED. */
  list(options: { revoked: boolean }): Promise<ApiToken[]>;
  /** One token or null for each UUID, in their order; revoked ones too. */
  find(ids: readonly string[]): Promise<(ApiToken | null)[]>;
  /** Returns the caller; null if the token is unknown, expired or revoked. Costs a statement every ten seconds and not each time. */
  authenticate(presented: string): Promise<Caller | null>;
  /** The same for a session, which knows only which token it was opened with. */
  authenticateId(id: string): Promise<Caller | null>;
  /** Returns what a session is opened with; null where it is no token, or one no more. */
  identify(presented: string): Promise<{ id: string; expiresAt: Date | null } | null>;
  /** Resolves when what is under way is written. */
  close(): Promise<void>;
}

export const TOKEN = /^fx_[A-Za-z0-9_-]{43}$/;
export const MAX_LISTED = 1000;
const NAME_LENGTH = 100;
const START_LENGTH = 7;

/** How long a token is taken for valid without another look: a server hears of a token that another one revoked so much later. */
const REMEMBER_SECONDS = 10;
const MAX_REMEMBERED = 10_000;
const WRITE_USE_EVERY_SECONDS = 60;

const COLUMNS = `t.id, t.name, t.start, t.user_id AS "userId", t.scopes, t.created_at AS "createdAt", t.expires_at AS "expiresAt",
  t.last_used_at AS "lastUsedAt", t.revoked_at AS "revokedAt"`;
const CREATE = `INSERT INTO api_tokens AS t (name, hash, start, user_id, scopes, expires_at) VALUES ($1, $2, $3, $4, $5::text[], $6)
  RETURNING ${COLUMNS}`;
const REVOKE = `UPDATE api_tokens t SET revoked_at = coalesce(t.revoked_at, now()) WHERE t.id = $1::uuid RETURNING ${COLUMNS}`;
const LIST = `SELECT ${COLUMNS} FROM api_tokens t WHERE $1 OR t.revoked_at IS NULL ORDER BY t.id DESC LIMIT ${MAX_LISTED}`;
const BY_IDS = `SELECT ${COLUMNS} FROM api_tokens t WHERE t.id = ANY($1::uuid[])`;
const BY_HASH = `SELECT ${COLUMNS}, t.hash FROM api_tokens t WHERE t.hash = $1`;
/** Several servers may see it used at once; one of them writes. */
const WRITE_USE = `UPDATE api_tokens SET last_used_at = now()
  WHERE id = $1::uuid AND (last_used_at IS NULL OR last_used_at < now() - interval '${WRITE_USE_EVERY_SECONDS} seconds')`;

interface Remembered {
  readonly id: string;
  readonly expiresAt: Date | null;
  readonly caller: Caller;
  /** When its use was last written, in milliseconds. */
  usedAt: number;
}

export function openTokens(database: Database, log: Logger): Tokens {
  const remembered = new LRUCache<string, Remembered>({
    max: MAX_REMEMBERED,
    ttlResolution: 0,
    // The expiry time of a token is a wall-clock time.
    perf: { now: () => Date.now() },
  });
  const writing = new Set<Promise<void>>();
  let revocations = 0;

  /** Behind the answer: nobody waits for it, and that it fails is no reason to let nobody in. */
  function noteUse(known: Remembered): void {
    const now = Date.now();
    if (now - known.usedAt < WRITE_USE_EVERY_SECONDS * 1000) return;
    known.usedAt = now;
    const written = database
      .query(WRITE_USE, [known.id])
      .then(
        () => {},
        (error: unknown) => log.warn({ err: error }, 'could not note when a token was used'),
      )
      .finally(() => writing.delete(written));
    writing.add(written);
  }

  async function recognize(hashed: string): Promise<Remembered | null> {
    return recognizeBy(hashed, async () => {
      const [row] = await database.query<ApiToken & { hash: string }>(BY_HASH, [hashed]);
      return row && timingSafeEqual(Buffer.from(row.hash), Buffer.from(hashed)) ? row : null;
    });
  }

  /** @param key a hash or an id, which are never alike. */
  async function recognizeBy(key: string, read: () => Promise<ApiToken | null>): Promise<Remembered | null> {
    const known = remembered.get(key);
    if (known) return known;
    const before = revocations;
    const row = await read();
    if (!row || !isValid(row)) return null;
    const { id, name, userId, scopes, expiresAt } = row;
    const found = {
      id,
      expiresAt,
      caller: makeCaller({ kind: 'token', name, userId, scopes: scopes.filter(isScope) }),
      usedAt: row.lastUsedAt?.getTime() ?? 0,
    };
    const ttl = Math.min(REMEMBER_SECONDS * 1000, (expiresAt?.getTime() ?? Infinity) - Date.now());
    // The row may be older than a revocation that came meanwhile. The cache keeps an entry with a ttl of 0 for ever.
    if (before === revocations && ttl > 0) remembered.set(key, found, { ttl });
    return found;
  }

  return {
    async create(input) {
      const token = `fx_${randomBytes(32).toString('base64url')}`;
      const { name, userId, scopes, expiresAt } = parseTokenInput(input);
      const values = [name, hashOf(token), token.slice(0, START_LENGTH), userId, scopes, expiresAt];
      const [apiToken] = await database.query<ApiToken>(CREATE, values);
      await database.flush();
      return { token, apiToken: apiToken as ApiToken };
    },

    async revoke(idText) {
      const id = parseTokenId(idText);
      const path = ['input', 'id'];
      if (!id)
        throw new InputError(
          'INVALID_ID',
          `${JSON.stringify(idText.slice(0, 100))} is not the id of a token.`,
          {
            path,
          },
        );
      const [apiToken] = await database.query<ApiToken>(REVOKE, [id]);
      revocations++;
      remembered.clear();
      if (!apiToken) throw new NotFoundError(`There is no token ${id}.`, { path });
      await database.flush();
      return apiToken;
    },

    list: ({ revoked }) => database.query<ApiToken>(LIST, [revoked]),

    async find(ids) {
      const rows = await database.query<ApiToken>(BY_IDS, [ids]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => byId.get(id) ?? null);
    },

    async authenticate(presented) {
      if (!TOKEN.test(presented)) return null;
      const known = await recognize(hashOf(presented));
      if (known) noteUse(known);
      return known?.caller ?? null;
    },

    async authenticateId(id) {
      const known = await recognizeBy(id, async () => {
        const [row] = await database.query<ApiToken>(BY_IDS, [[id]]);
        return row ?? null;
      });
      if (known) noteUse(known);
      return known?.caller ?? null;
    },

    identify: async (presented) => (TOKEN.test(presented) ? recognize(hashOf(presented)) : null),

    async close() {
      await Promise.all(writing);
    },
  };
}

/** Returns the UUID in either form of the id of a token; null for anything else. */
function parseTokenId(text: string): string | null {
  const [, uuid = text] = /^ApiToken:(.+)$/.exec(Buffer.from(text.slice(0, 100), 'base64').toString()) ?? [];
  return parseUuid(uuid);
}

const hashOf = (token: string) => hash('sha256', token, 'hex');

function isValid({ revokedAt, expiresAt }: ApiToken): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt.getTime() > Date.now());
}

/** Whether any token would let somebody in. */
export async function hasTokens(database: Database): Promise<boolean> {
  const rows = await database.query(
    `SELECT 1 FROM api_tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) LIMIT 1`,
  );
  return rows.length > 0;
}

function parseTokenInput({ name, userId, scopes, expiresAt }: TokenInput) {
  const stranger = scopes.find((scope) => !isScope(scope));
  if (stranger !== undefined || scopes.length === 0) {
    const given = stranger === undefined ? 'A token needs a scope' : `There is no scope ${stranger}`;
    const message = `${given}; there are ${Object.keys(SCOPES).join(', ')}.`;
    throw new InputError('INVALID_INPUT', message, { path: ['input', 'scopes'] });
  }
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    throw new InputError('INVALID_INPUT', 'expiresAt lies in the past.', { path: ['input', 'expiresAt'] });
  }
  return {
    name: parseText('name', name, NAME_LENGTH),
    userId: parseOptional('userId', userId, LIMITS.userIdLength),
    scopes: [...new Set(scopes)],
    expiresAt: expiresAt ?? null,
  };
}
