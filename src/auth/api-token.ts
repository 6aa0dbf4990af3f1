import { hash } from 'node:crypto';
import type { Scope } from './caller.ts';

/** An API token, without the token itself and its hash. */
export interface ApiToken {
  readonly id: string;
  readonly name: string;
  /** First characters of the token. */
  readonly start: string;
  /** User whose images the token can access; null: every user's. */
  readonly userId: string | null;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export const TOKEN = /^fx_[A-Za-z0-9_-]{43}$/;

export const TOKEN_COLUMNS = `t.id, t.name, t.start, t.user_id AS "userId", t.scopes, t.created_at AS "createdAt", t.expires_at AS "expiresAt",
  t.last_used_at AS "lastUsedAt", t.revoked_at AS "revokedAt"`;

export const hashOf = (token: string) => hash('sha256', token, 'hex');
