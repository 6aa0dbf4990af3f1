/** Opens what a command needs, for as long as it runs. Large modules are imported only then. */
import { userInfo } from 'node:os';
import type { App } from '../app.ts';
import { asActor } from '../audit/actor.ts';
import type { Tokens } from '../auth/tokens.ts';
import { isOneOfSeveral } from '../command/processes.ts';
import { EXIT, type ExitCode } from '../command/terminal.ts';
import { type Config, parseConfig, warningsOf } from '../config.ts';
import type { Database } from '../database/database.ts';
import { hasDatabase } from '../database/pglite/data-directory.ts';
import type { Scrape } from '../http/serve-metrics.ts';
import { type Logger, makeLog } from '../log.ts';
import type { EndpointDeps } from '../webhook/endpoints.ts';
import { terminal } from './terminal.ts';

/** Milliseconds that a start which is stopped may take to close what it has opened. */
const STOP_START_MS = 3000;

/** Reads the settings from .env and the environment, and warns of misspelt ones. */
export function readConfig(): Config {
  loadEnvFile();
  const config = parseConfig(process.env, process.cwd());
  if (!isOneOfSeveral()) for (const warning of warningsOf(process.env)) terminal.note(`${warning}\n`);
  return config;
}

function loadEnvFile(): void {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Runs a command that reads the settings by itself, also when they are not valid. It writes no log. */
export async function withSettings(
  run: (
    environment: NodeJS.ProcessEnv,
    directory: string,
    options: ReturnType<typeof processOptions>,
  ) => Promise<ExitCode>,
): Promise<ExitCode> {
  loadEnvFile();
  const options = processOptions({ logLevel: 'silent', logFormat: 'text', secrets: [] });
  return run(process.env, process.cwd(), options);
}

function processOptions(config: {
  logLevel: string;
  logFormat: 'text' | 'json';
  secrets: readonly string[];
}) {
  const log = makeLog({
    level: config.logLevel,
    format: config.logFormat,
    colorize: process.stderr.isTTY === true,
    secrets: config.secrets,
  });
  const onEnd = (reason: string): never => {
    log.fatal(reason);
    process.exit(EXIT.failed);
  };
  return { log, processId: process.pid, onEnd };
}

/** The actor of what a command changes: the user of the operating system. */
const operator = () => ({ kind: 'command', name: userName() }) as const;

/** A container may run under a user id without a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

interface OpenOptions {
  readonly works: boolean;
  /** Returns the metrics of all processes, if there are several. */
  readonly scrape?: Scrape;
  /** Resolves when the process must stop, also while it starts. */
  readonly stopped?: Promise<void>;
}

/** Opens the app, runs the command and closes the app. */
export async function withApp(
  run: (app: App) => Promise<ExitCode>,
  { stopped, ...options }: OpenOptions = { works: false },
): Promise<ExitCode> {
  const config = readConfig();
  const ofProcess = processOptions(config);
  // Before anything large is loaded, so that a start shows at once what it does.
  if (config.databaseUrl === null && !hasDatabase(config.dataDirectory))
    ofProcess.log.info('Preparing the database (first start)…');
  const { openApp } = await import('../app.ts');
  const stopping = new AbortController();
  const opening = openApp(config, { ...ofProcess, ...options, signal: stopping.signal });
  let isOpen = false;
  void stopped?.then(() => {
    if (isOpen) return;
    stopping.abort();
    // A migration or a wait for another machine is interrupted as a kill would interrupt it. Nothing is lost.
    setTimeout(() => process.exit(EXIT.ok), STOP_START_MS).unref();
  });
  const app = await opening.catch((error: unknown) => {
    if (stopping.signal.aborted) return null;
    throw error;
  });
  if (app === null) return EXIT.ok;
  isOpen = true;
  try {
    return stopping.signal.aborted ? EXIT.ok : await asActor(operator(), () => run(app));
  } finally {
    await app.close();
  }
}

/** Opens only the database; the caller releases it. */
export async function openStopped() {
  const config = readConfig();
  const { openDatabase } = await import('../app/open-database.ts');
  return openDatabase(config, processOptions(config));
}

/** Opens only the database, and no store. */
export async function withDatabase(
  run: (database: Database, log: Logger) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readConfig();
  const options = processOptions(config);
  const { openDatabase } = await import('../app/open-database.ts');
  const { database, release } = await openDatabase(config, options);
  return asActor(operator(), () => run(database, options.log)).finally(release);
}

/** Opens only the database and the API tokens in it. */
export async function withTokens(run: (tokens: Tokens) => Promise<ExitCode>): Promise<ExitCode> {
  const { runWithTokens } = await import('../command/token.ts');
  return withDatabase((database, log) => runWithTokens(database, log, run));
}

/** Opens the database, and what checks the addresses of webhooks. A server delivers the events. */
export async function withWebhooks(run: (deps: EndpointDeps) => Promise<ExitCode>): Promise<ExitCode> {
  const { webhookAllowPrivate, webhookTimeoutSeconds } = readConfig();
  const { openPoster } = await import('../webhook/post.ts');
  const poster = openPoster({ allowPrivate: webhookAllowPrivate, timeoutSeconds: webhookTimeoutSeconds });
  return withDatabase((database) => run({ database, poster })).finally(() => poster.close());
}
