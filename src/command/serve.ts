import ipaddr from 'ipaddr.js';
import { type Authenticator, LOGIN_DAYS } from '../auth/authenticator.ts';
import { hasTokens } from '../auth/tokens.ts';
import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { FixativeError } from '../errors.ts';
import type { Scrape } from '../http/serve-metrics.ts';
import type { HttpServer } from '../http/server.ts';
import type { Logger } from '../log.ts';
import type { Storage } from '../storage/service.ts';
import { serveScrapes } from './metrics.ts';
import { isOneOfSeveral } from './processes.ts';
import { EXIT, type ExitCode, isStoppedFirst, type Terminal } from './terminal.ts';

/** Parts of an open app that `serve` needs. */
export interface ServedApp {
  readonly server: HttpServer;
  readonly database: Database;
  readonly storage: Storage;
  readonly authenticator: Authenticator;
  readonly migrated: readonly string[];
  readonly scrape: Scrape;
  readonly services: { readonly log: Logger };
  startJobs(): Promise<void>;
}

/**
 * Returns whether clients can only log in by API tokens to a server that other machines can reach. The root
 * token that a first start makes does not count.
 */
export function needsTokens({ host, rootToken, jwt }: Config): boolean {
  return !isLoopback(host) && rootToken === null && jwt === null;
}

/**
 * Refuses to listen beyond loopback before the operator has configured who may authenticate.
 * @throws FixativeError INVALID_INPUT that says what to set.
 */
async function requireIdentity({ database }: ServedApp, config: Config): Promise<void> {
  if (!needsTokens(config) || (await hasTokens(database))) return;
  const { host } = config;
  throw new FixativeError(
    'INVALID_INPUT',
    `HOST is ${host}, which other machines can reach, but no way to authenticate is configured. Set one of these:
  FIXATIVE_ROOT_TOKEN                    the admin's token; \`openssl rand -base64 32\` makes a good one
  AUTH_JWKS_URL or AUTH_JWT_SECRET       to accept the tokens of an identity provider
or create an API token (\`fixative token create\`). To listen on this machine only, remove HOST. See .env.example.`,
  );
}

/** Returns whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (ipaddr.isValid(name)) return ipaddr.process(name).range() === 'loopback';
  return name === 'localhost';
}

/** Listens, prints the addresses, and returns when `stopped` resolves. */
export async function serve(
  app: ServedApp,
  config: Config,
  { terminal, stopped, workers }: { terminal: Terminal; stopped: Promise<void>; workers: boolean },
): Promise<ExitCode> {
  await requireIdentity(app, config);
  // The primary process of several listens there.
  if (!isOneOfSeveral()) await serveScrapes(config, app.scrape, app.services.log);
  try {
    await app.server.listen(config.host, config.port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new FixativeError(
        'INVALID_INPUT',
        `Port ${config.port} of ${config.host} is taken. Set PORT to another port.`,
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new FixativeError(
        'INVALID_INPUT',
        `Cannot listen on ${config.host}:${config.port} (${code}). Check HOST and PORT.`,
      );
    }
    throw error;
  }
  // The server already answers, but it is announced as ready only when its jobs have begun.
  const starting = workers ? app.startJobs() : Promise.resolve();
  if (await isStoppedFirst(stopped, starting)) return EXIT.ok;
  const url = config.publicUrl ?? app.server.address();
  const database = config.databaseUrl ? 'PostgreSQL' : `embedded, in ${config.dataDirectory}`;
  terminal.out(`
Fixative is ready.

  Gallery    ${url}/login?code=${app.authenticator.loginCode}
             (logs this browser in; valid for ${LOGIN_DAYS} days)
  GraphQL    ${url}/graphql
  Token      ${config.rootToken ? 'FIXATIVE_ROOT_TOKEN' : `${config.dataDirectory}/root-token`}
  Stores     ${app.storage.stores.map((store) => store.name).join(', ')}
  Database   ${database}${app.migrated.length > 0 ? ` (${app.migrated.length} migrations applied)` : ''}

`);
  await stopped;
  app.server.drain();
  terminal.note('Stopping: finishing what is in progress. Signal again to stop at once.\n');
  return EXIT.ok;
}
