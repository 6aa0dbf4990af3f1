/**
 * Recognizes API tokens and the sessions that they opened. Caches what it found, and records when a token was
 * used.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { type ApiToken, hashOf, TOKEN, TOKEN_COLUMNS } from './api-token.ts';
import { type Caller, isScope, makeCaller } from './caller.ts';
import { makeExpiringCache } from './expiring-cache.ts';

/**
 * Time for which a token is accepted without reading the database. A revocation by another server may take
 * effect this much later.
 */
const CACHE_SECONDS = 10;
const MAX_CACHED = 10_000;
const WRITE_USE_EVERY_SECONDS = 60;

const BY_HASH = `SELECT ${TOKEN_COLUMNS}, t.hash FROM api_tokens t WHERE t.hash = $1`;
const BY_ID = `SELECT ${TOKEN_COLUMNS} FROM api_tokens t WHERE t.id = $1::uuid`;
/** Records the use of a token. When several servers see the token at once, only one of them writes. */
const WRITE_USE = `UPDATE api_tokens SET last_used_at = now()
  WHERE id = $1::uuid AND (last_used_at IS NULL OR last_used_at < now() - interval '${WRITE_USE_EVERY_SECONDS} seconds')`;

export interface RecognizedToken {
  readonly id: string;
  readonly expiresAt: Date | null;
  readonly caller: Caller;
  /** When its use was last written, in milliseconds as Date.now() counts. */
  usedAt: number;
}

export interface TokenRecognition {
  /** Returns null if the text is not a token, or the token is unknown, expired or revoked. */
  recognize(token: string): Promise<RecognizedToken | null>;
  /** Returns null if no token has the UUID, or it is expired or revoked. */
  recognizeId(id: string): Promise<RecognizedToken | null>;
  /** Records that a token was used, without waiting for the statement. A failure is logged. */
  noteUse(token: RecognizedToken): void;
  /** Empties the cache, because a token was revoked. */
  clear(): void;
  /** Waits for the statements of `noteUse`. */
  close(): Promise<void>;
}

export function makeTokenRecognition(database: Database, log: Logger): TokenRecognition {
  const cache = makeExpiringCache<RecognizedToken>(MAX_CACHED);
  const writing = new Set<Promise<void>>();
  let revocations = 0;

  /** @param key a hash or an id, which never look alike. */
  async function recognizeBy(
    key: string,
    read: () => Promise<ApiToken | null>,
  ): Promise<RecognizedToken | null> {
    const cached = cache.get(key);
    if (cached) return cached;
    const before = revocations;
    const row = await read();
    if (!row || !isValid(row)) return null;
    const recognized = recognizedOf(row);
    const until = Math.min(Date.now() + CACHE_SECONDS * 1000, row.expiresAt?.getTime() ?? Infinity);
    // A row that was read before a revocation may be that of the revoked token.
    if (before === revocations) cache.set(key, recognized, until);
    return recognized;
  }

  return {
    async recognize(token) {
      if (!TOKEN.test(token)) return null;
      const hashed = hashOf(token);
      return recognizeBy(hashed, () => readByHash(database, hashed));
    },
    recognizeId: (id) =>
      recognizeBy(id, async () => (await database.query<ApiToken>(BY_ID, [id]))[0] ?? null),
    noteUse(token) {
      const now = Date.now();
      if (now - token.usedAt < WRITE_USE_EVERY_SECONDS * 1000) return;
      token.usedAt = now;
      const written = database
        .query(WRITE_USE, [token.id])
        .then(
          () => {},
          (error: unknown) => log.warn({ err: error }, 'could not record when an API token was used'),
        )
        .finally(() => writing.delete(written));
      writing.add(written);
    },
    clear() {
      revocations++;
      cache.clear();
    },
    async close() {
      await Promise.all(writing);
    },
  };
}

async function readByHash(database: Database, hashed: string): Promise<ApiToken | null> {
  const [row] = await database.query<ApiToken & { hash: string }>(BY_HASH, [hashed]);
  return row && timingSafeEqual(Buffer.from(row.hash), Buffer.from(hashed)) ? row : null;
}

function isValid({ revokedAt, expiresAt }: ApiToken): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt.getTime() > Date.now());
}

function recognizedOf({ id, name, userId, scopes, expiresAt, lastUsedAt }: ApiToken): RecognizedToken {
  const caller = makeCaller({ kind: 'token', name, userId, scopes: scopes.filter(isScope) });
  return { id, expiresAt, caller, usedAt: lastUsedAt?.getTime() ?? 0 };
}
