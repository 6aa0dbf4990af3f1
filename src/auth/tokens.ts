/**
 * API tokens. A token is `fx_` and 256 random bits. It is shown once, when it is created; only its SHA-256 is
 * kept. Tokens are looked up by that hash. The time of the look-up may reveal something about a hash, but a
 * token cannot be derived from its hash.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { recordAudit } from '../audit/audit.ts';
import type { Database } from '../database/database.ts';
import type { Prisma } from '../database/generated/client/client.ts';
import { InputError, NotFoundError } from '../errors.ts';
import { parseUuid } from '../image/image.ts';
import { LIMITS, parseOptional, parseText } from '../image/input.ts';
import { type ApiToken, hashOf, TOKEN_COLUMNS } from './api-token.ts';
import { type Caller, isScope, SCOPES, type Scope } from './caller.ts';
import { makeTokenRecognition, type TokenRecognition } from './token-recognition.ts';

export type { ApiToken };

export interface TokenInput {
  /** Name for people, up to 100 characters. */
  readonly name: string;
  /** User whose images the token can access. Default: none; it can act for every user. */
  readonly userId?: string | null | undefined;
  readonly scopes: readonly string[];
  /** Default: it does not expire. */
  readonly expiresAt?: Date | null | undefined;
}

export interface Tokens {
  /** Creates a token and returns it, which only this call does. @throws InputError INVALID_INPUT */
  create(input: TokenInput): Promise<{ token: string; apiToken: ApiToken }>;
  /**
   * Revokes a token. One that is already revoked keeps its time.
   * @param id its UUID, or its id in GraphQL. @throws InputError INVALID_ID, NotFoundError.
   */
  revoke(id: string): Promise<ApiToken>;
  /** Returns the tokens, newest first, at most MAX_LISTED. */
  list(options: { revoked: boolean }): Promise<ApiToken[]>;
  /** Returns one token or null for each UUID, in their order; revoked tokens too. */
  find(ids: readonly string[]): Promise<(ApiToken | null)[]>;
  /**
   * Returns the caller of a token; null if it is unknown, expired or revoked. Reads the database every ten
   * seconds.
   */
  authenticate(presented: string): Promise<Caller | null>;
  /** Returns the caller of a session, by the UUID of the token that opened it; null as for `authenticate`. */
  authenticateId(id: string): Promise<Caller | null>;
  /** Returns what a session of the token needs to know; null if it is unknown, expired or revoked. */
  identify(presented: string): Promise<{ id: string; expiresAt: Date | null } | null>;
  /** Waits for the statements that are under way. */
  close(): Promise<void>;
}

export const MAX_LISTED = 1000;
const NAME_LENGTH = 100;
const START_LENGTH = 7;

const CREATE = `INSERT INTO api_tokens AS t (name, hash, start, user_id, scopes, expires_at) VALUES ($1, $2, $3, $4, $5::text[], $6)
  RETURNING ${TOKEN_COLUMNS}`;
const REVOKE = `UPDATE api_tokens t SET revoked_at = coalesce(t.revoked_at, now()) WHERE t.id = $1::uuid RETURNING ${TOKEN_COLUMNS}`;
const BY_IDS = `SELECT ${TOKEN_COLUMNS} FROM api_tokens t WHERE t.id = ANY($1::uuid[])`;

export function openTokens(database: Database, log: Logger): Tokens {
  const recognition = makeTokenRecognition(database, log);
  return {
    create: (input) => createToken(database, input),
    revoke: (id) => revokeToken(database, id, recognition),
    async list(options) {
      const rows = await findTokenRows(database, options, { omit: { hash: true } });
      return rows as (Omit<(typeof rows)[number], 'scopes'> & { scopes: Scope[] })[];
    },
    find: (ids) => findTokens(database, ids),
    async authenticate(presented) {
      const token = await recognition.recognize(presented);
      if (token) recognition.noteUse(token);
      return token?.caller ?? null;
    },
    async authenticateId(id) {
      const token = await recognition.recognizeId(id);
      if (token) recognition.noteUse(token);
      return token?.caller ?? null;
    },
    identify: (presented) => recognition.recognize(presented),
    close: () => recognition.close(),
  };
}

/**
 * Reads the list of tokens by Prisma: newest first, at most MAX_LISTED.
 * @param options.revoked list revoked tokens too.
 * @param columns columns to read, as Prisma writes them.
 */
export function findTokenRows<Columns extends Pick<Prisma.ApiTokenFindManyArgs, 'select' | 'omit'>>(
  database: Pick<Database, 'prismaTransaction'>,
  { revoked }: { readonly revoked: boolean },
  columns: Columns,
) {
  const where = revoked ? {} : { revokedAt: null };
  // A transaction is tried again when the connection breaks.
  return database.prismaTransaction((transaction) =>
    transaction.apiToken.findMany({ ...columns, where, orderBy: { id: 'desc' }, take: MAX_LISTED }),
  );
}

async function createToken(database: Database, input: TokenInput) {
  const token = `fx_${randomBytes(32).toString('base64url')}`;
  const { name, userId, scopes, expiresAt } = parseTokenInput(input);
  const values = [name, hashOf(token), token.slice(0, START_LENGTH), userId, scopes, expiresAt];
  const apiToken = await database.transaction(async (transaction) => {
    const [created] = (await transaction.query<ApiToken>(CREATE, values)) as [ApiToken];
    const details = { name, userId, scopes, expiresAt };
    await recordAudit(transaction, { action: 'token.create', subject: created.id, details });
    return created;
  });
  await database.flush();
  return { token, apiToken };
}

async function revokeToken(
  database: Database,
  text: string,
  recognition: Pick<TokenRecognition, 'clear'>,
): Promise<ApiToken> {
  const id = parseTokenId(text);
  const path = ['input', 'id'];
  if (!id) {
    const given = JSON.stringify(text.slice(0, 100));
    throw new InputError(
      'INVALID_ID',
      `${given} is not the id of a token. Use \`ApiToken.id\`, or the UUID that \`fixative token list\` shows.`,
      { path },
    );
  }
  // The cache is emptied also when the statement fails: it may have been done.
  const [apiToken] = await database
    .transaction(async (transaction) => {
      const revoked = await transaction.query<ApiToken>(REVOKE, [id]);
      for (const { name } of revoked)
        await recordAudit(transaction, { action: 'token.revoke', subject: id, details: { name } });
      return revoked;
    })
    .finally(() => recognition.clear());
  if (!apiToken) throw new NotFoundError(`There is no token ${id}.`, { path });
  await database.flush();
  return apiToken;
}

async function findTokens(database: Database, ids: readonly string[]): Promise<(ApiToken | null)[]> {
  const rows = await database.query<ApiToken>(BY_IDS, [ids]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** Returns the UUID of a token by its UUID or its global id; null for anything else. */
function parseTokenId(text: string): string | null {
  const [, uuid = text] = /^ApiToken:(.+)$/.exec(Buffer.from(text.slice(0, 100), 'base64').toString()) ?? [];
  return parseUuid(uuid);
}

/** Returns whether any token is neither revoked nor expired. */
export async function hasTokens(database: Database): Promise<boolean> {
  const rows = await database.query(
    `SELECT 1 FROM api_tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) LIMIT 1`,
  );
  return rows.length > 0;
}

function parseTokenInput({ name, userId, scopes, expiresAt }: TokenInput) {
  const unknown = scopes.find((scope) => !isScope(scope));
  if (unknown !== undefined || scopes.length === 0) {
    const fault = unknown === undefined ? 'A token needs at least one scope' : `There is no scope ${unknown}`;
    const message = `${fault}. Choose from: ${Object.keys(SCOPES).join(', ')}.`;
    throw new InputError('INVALID_INPUT', message, { path: ['input', 'scopes'] });
  }
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    throw new InputError('INVALID_INPUT', 'expiresAt is in the past. Give a later time, or none.', {
      path: ['input', 'expiresAt'],
    });
  }
  return {
    name: parseText('name', name, NAME_LENGTH),
    userId: parseOptional('userId', userId, LIMITS.userIdLength),
    scopes: [...new Set(scopes)],
    expiresAt: expiresAt ?? null,
  };
}
