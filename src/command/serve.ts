import ipaddr from 'ipaddr.js';
import { type Authenticator, LOGIN_DAYS } from '../auth/authenticator.ts';
import { hasTokens } from '../auth/tokens.ts';
import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { FixativeError } from '../errors.ts';
import type { HttpServer } from '../http/server.ts';
import type { Storage } from '../storage/service.ts';
import { EXIT, type ExitCode, isStoppedFirst, type Terminal } from './terminal.ts';

/** What `serve` needs of an open app. */
export interface ServedApp {
  readonly server: HttpServer;
  readonly database: Database;
  readonly storage: Storage;
  readonly authenticator: Authenticator;
  readonly migrated: readonly string[];
  startJobs(): Promise<void>;
}

/**
 * Whoever reaches the server gets in by a token only. Beyond this machine it does not listen before somebody
 * has decided who is to have one: the root token that a first start makes by itself is nobody's decision.
 * @throws FixativeError INVALID_INPUT that says what to set.
 */
async function requireIdentity(app: ServedApp, { host, rootToken, jwt }: Config): Promise<void> {
  if (isLoopback(host) || rootToken !== null || jwt !== null || (await hasTokens(app.database))) return;
  throw new FixativeError(
    'INVALID_INPUT',
    `HOST is ${host}, which others can reach, and nothing says who may come in. Set one of these:
  FIXATIVE_ROOT_TOKEN                    the admin's token; \`openssl rand -base64 32\` makes a good one
  AUTH_JWKS_URL or AUTH_JWT_SECRET       to take the tokens of an identity provider
or make an API token (\`fixative token create\`), or leave HOST out, to listen to this machine only. See .env.example.`,
  );
}

function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (ipaddr.isValid(name)) return ipaddr.process(name).range() === 'loopback';
  return name === 'localhost';
}

/** Listens, says where, and ends when `stopped` resolves. */
export async function serve(
  app: ServedApp,
  config: Config,
  { terminal, stopped, workers }: { terminal: Terminal; stopped: Promise<void>; workers: boolean },
): Promise<ExitCode> {
  await requireIdentity(app, config);
  try {
    await app.server.listen(config.host, config.port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new FixativeError(
        'INVALID_INPUT',
        `Port ${config.port} of ${config.host} is taken. Set PORT to another one.`,
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new FixativeError(
        'INVALID_INPUT',
        `Cannot listen at ${config.host}:${config.port} (${code}). Set HOST and PORT.`,
      );
    }
    throw error;
  }
  // It answers by now, but is not said to be ready before its jobs have begun.
  const starting = workers ? app.startJobs() : Promise.resolve();
  if (await isStoppedFirst(stopped, starting)) return EXIT.ok;
  const url = config.publicUrl ?? app.server.address();
  const database = config.databaseUrl ? 'PostgreSQL' : `embedded, in ${config.dataDirectory}`;
  terminal.out(`
Fixative is ready.

  GraphiQL   ${url}/login?code=${app.authenticator.loginCode}
             (logs this browser in; good for ${LOGIN_DAYS} days)
  GraphQL    ${url}/graphql
  Token      ${config.rootToken ? 'FIXATIVE_ROOT_TOKEN' : `${config.dataDirectory}/root-token`}
  Stores     ${app.storage.stores.map((store) => store.name).join(', ')}
  Database   ${database}${app.migrated.length > 0 ? ` (${app.migrated.length} migrations applied)` : ''}

`);
  await stopped;
  app.server.drain();
  terminal.note('Stopping: what is under way is finished first. Once more to stop at once.\n');
  return EXIT.ok;
}
