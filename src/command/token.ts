import { type ApiToken, openTokens, type Tokens } from '../auth/tokens.ts';
import type { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import type { Logger } from '../log.ts';
import { parseTime } from '../time.ts';
import { EXIT, type ExitCode, formatTable, type Terminal } from './terminal.ts';

export interface CreateTokenCommand {
  readonly name: string;
  readonly scope: readonly string[];
  readonly user?: string;
  readonly expires?: Date;
  readonly json: boolean;
}

const SECONDS = { m: 60, h: 3600, d: 86_400 } as const;

/**
 * Reads `90d`, `12h`, `30m` or an RFC 3339 time. Returns null for anything else and for times in the past.
 */
export function expiryOf(text: string, now: number): Date | null {
  const [, amount, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  const time = amount
    ? new Date(now + Number(amount) * SECONDS[unit as keyof typeof SECONDS] * 1000)
    : parseTime(text);
  return time && time.getTime() > now ? time : null;
}

/** Migrates the database, opens the API tokens in it and runs the command. */
export async function runWithTokens(
  database: Database,
  log: Logger,
  run: (tokens: Tokens) => Promise<ExitCode>,
): Promise<ExitCode> {
  await migrate(database);
  const tokens = openTokens(database, log);
  return run(tokens).finally(() => tokens.close());
}

/**
 * `token create`: prints only the token to `out`, so that a script can keep it. Everything else goes to
 * `note`.
 */
export async function runCreateToken(
  tokens: Tokens,
  { name, scope, user, expires, json }: CreateTokenCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  const { token, apiToken } = await tokens.create({ name, scopes: scope, userId: user, expiresAt: expires });
  if (json) terminal.out(`${JSON.stringify({ token, ...apiToken })}\n`);
  else {
    const whose = apiToken.userId === null ? 'any user' : `the user ${apiToken.userId}`;
    const until = apiToken.expiresAt ? ` until ${apiToken.expiresAt.toISOString()}` : '';
    terminal.note(
      `Token ${apiToken.id} for ${whose}: ${apiToken.scopes.join(', ')}${until}. It is shown this once.\n`,
    );
    terminal.out(`${token}\n`);
  }
  return EXIT.ok;
}

/** `token list`: prints the API tokens. */
export async function runListTokens(
  tokens: Tokens,
  { revoked, json }: { revoked: boolean; json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const found = await tokens.list({ revoked });
  if (json) for (const token of found) terminal.out(`${JSON.stringify(token)}\n`);
  else {
    const heads = ['id', 'token', 'name', 'user', 'scopes', 'expires', 'last used', 'state'];
    terminal.out(`${formatTable([heads, ...found.map(describe)])}\n`);
  }
  return EXIT.ok;
}

function describe(token: ApiToken): string[] {
  const { id, start, name, userId, scopes, expiresAt, lastUsedAt, revokedAt } = token;
  const day = (time: Date | null, without: string) => time?.toISOString().slice(0, 16) ?? without;
  const state = revokedAt ? 'revoked' : expiresAt && expiresAt.getTime() <= Date.now() ? 'expired' : 'valid';
  // JSON escapes line breaks and control sequences.
  const [quotedName = '', quotedUser = ''] = [name, userId ?? ''].map((text) =>
    /^[\x20-\x7e]*$/.test(text) ? text : JSON.stringify(text),
  );
  return [
    id,
    `${start}…`,
    quotedName,
    userId === null ? '(any)' : quotedUser,
    scopes.join(' '),
    day(expiresAt, 'never'),
    day(lastUsedAt, 'never'),
    state,
  ];
}

/** `token revoke`: revokes API tokens. */
export async function runRevokeTokens(
  tokens: Tokens,
  ids: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  for (const id of ids) {
    const { name } = await tokens.revoke(id);
    terminal.out(`revoked  ${id}  ${JSON.stringify(name)}\n`);
  }
  return EXIT.ok;
}
