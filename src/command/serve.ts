import type { Authenticator } from '../auth/authenticator.ts';
import type { Config } from '../config.ts';
import { FixativeError } from '../errors.ts';
import type { HttpServer } from '../http/server.ts';
import type { Storage } from '../storage/service.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

/** What `serve` needs of an open app. */
export interface ServedApp {
  readonly server: HttpServer;
  readonly storage: Storage;
  readonly authenticator: Authenticator;
  readonly migrated: readonly string[];
  startJobs(): Promise<void>;
}

/** Listens, says where, and ends when `stopped` resolves. */
export async function serve(
  app: ServedApp,
  config: Config,
  { terminal, stopped, workers }: { terminal: Terminal; stopped: Promise<void>; workers: boolean },
): Promise<ExitCode> {
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
  if (workers) await app.startJobs();
  const url = config.publicUrl ?? app.server.address();
  const database = config.databaseUrl ? 'PostgreSQL' : `embedded, in ${config.dataDirectory}`;
  terminal.out(`
Fixative is ready.

  GraphiQL   ${url}/login?code=${app.authenticator.loginCode}
             (logs this browser in; good until the server stops)
  GraphQL    ${url}/graphql
  Token      ${config.rootToken ? 'FIXATIVE_ROOT_TOKEN' : `${config.dataDirectory}/root-token`}
  Stores     ${app.storage.stores.map((store) => store.name).join(', ')}
  Database   ${database}${app.migrated.length > 0 ? ` (migrated: ${app.migrated.join(', ')})` : ''}

`);
  await stopped;
  terminal.note('Stopping: what is under way is finished first. Once more to stop at once.\n');
  return EXIT.ok;
}
