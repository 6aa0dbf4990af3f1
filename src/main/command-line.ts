/** Reads the environment and the command line, opens what a command needs, handles signals. What a command needs is loaded when it runs. */
import { Command, InvalidArgumentError } from 'commander';
import type { App } from '../app.ts';
import { SCOPES } from '../auth/caller.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { ImportTableCommand } from '../command/import-table.ts';
import type { ImportUrlsCommand } from '../command/import-urls.ts';
import { enterProcess, isOneOfSeveral, serveInProcesses } from '../command/processes.ts';
import { EXIT, type ExitCode, type Terminal } from '../command/terminal.ts';
import {
  type CreateTokenCommand,
  expiryOf,
  runCreateToken,
  runListTokens,
  runRevokeTokens,
  runWithTokens,
} from '../command/token.ts';
import { type Config, parseConfig, secretsOf, warningsOf } from '../config.ts';
import { hasDatabase } from '../database/pglite/data-directory.ts';
import { FixativeError } from '../errors.ts';
import type { ImageFilter } from '../image/list/conditions.ts';
import { parseImageFilter } from '../image/list/filter-json.ts';
import { makeLog } from '../log.ts';

// Whoever reads no more (`| head -1`) misses the rest; what is being done is done, and ends with the code that it would.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

/**
 * graphql-js abandons a list when one of its items fails at once, and with it the promises of other items, which may reject later
 * (https://github.com/graphql/graphql-js/pull/3761). Such an error belongs to an answer that has failed already, and must not end the process.
 */
process.on('unhandledRejection', (reason) => {
  const { name, path } = (reason ?? {}) as { name?: unknown; path?: unknown };
  if (name !== 'GraphQLError' || !Array.isArray(path)) throw reason;
});

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  interactive: process.stderr.isTTY === true,
};

function readConfig(): Config {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const config = parseConfig(process.env, process.cwd());
  if (!isOneOfSeveral()) for (const warning of warningsOf(process.env)) terminal.note(`${warning}\n`);
  return config;
}

function appOptions(config: Config) {
  const log = makeLog({
    level: config.logLevel,
    format: config.logFormat,
    colorize: process.stderr.isTTY === true,
    secrets: secretsOf(config),
  });
  const onEnd = (reason: string): never => {
    log.fatal(reason);
    process.exit(EXIT.failed);
  };
  return { log, processId: process.pid, onEnd };
}

/** How long a start that is stopped may take to close what it has opened. */
const STOP_START_MS = 3000;
/** How long the process may live on when its command has ended: a library may have left a timer or a connection behind. */
const LINGER_MS = 2000;

interface OpenOptions {
  readonly works: boolean;
  /** Resolves when the process is to stop, also while it starts. */
  readonly stopped?: Promise<void>;
}

/** Opens the app for as long as a command runs. */
async function withApp(
  run: (app: App) => Promise<ExitCode>,
  { stopped, ...options }: OpenOptions = { works: false },
): Promise<ExitCode> {
  const config = readConfig();
  const told = appOptions(config);
  // Before anything large is loaded: a start says at once what it does.
  if (config.databaseUrl === null && !hasDatabase(config.dataDirectory))
    told.log.info('Preparing the database (first start)…');
  const { openApp } = await import('../app.ts');
  const stopping = new AbortController();
  const opening = openApp(config, { ...told, ...options, signal: stopping.signal });
  let isOpen = false;
  void stopped?.then(() => {
    if (isOpen) return;
    stopping.abort();
    // What waits for another machine, or migrates, is interrupted as a kill would interrupt it, which loses nothing.
    setTimeout(() => process.exit(EXIT.ok), STOP_START_MS).unref();
  });
  const app = await opening.catch((error: unknown) => {
    if (stopping.signal.aborted) return null;
    throw error;
  });
  if (app === null) return EXIT.ok;
  isOpen = true;
  try {
    return stopping.signal.aborted ? EXIT.ok : await run(app);
  } finally {
    await app.close();
  }
}

/** `timeout`, npm and a terminal send one signal to a process and to its group, so it comes twice. A person takes longer to ask again. */
const SAME_SIGNAL_MS = 300;

/** Those of package.json that run this. */
const NPM_SCRIPTS = ['start', 'fixative'];
const LOOK_FOR_PARENT_MS = 500;

/**
 * Resolves when the process that started this one has ended. npm passes a SIGTERM to the shell that it runs a script in, and not every shell passes it on:
 * dash ends, and what it ran lives on without anybody who would end it.
 */
function orphaned(): Promise<void> {
  const { ppid } = process;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (process.ppid === ppid) return;
      clearInterval(timer);
      resolve();
    }, LOOK_FOR_PARENT_MS).unref();
  });
}

/** Resolves at the first SIGINT or SIGTERM, or where npm was sent one; the next one that is meant ends the process. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = () => {
      first ??= performance.now();
      if (performance.now() - first > SAME_SIGNAL_MS) process.exit(EXIT.failed);
      resolve();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    if (NPM_SCRIPTS.includes(process.env.npm_lifecycle_event ?? '')) void orphaned().then(resolve);
  });
}

/** What the system or the database says in a word needs no stack; anything else is a defect and shows its own. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  const inner = error instanceof AggregateError ? error.errors.map(String).join('; ') : '';
  if (syscall || (code && /^[0-9A-Z]{5}$/.test(code)) || inner) return `${error.message || inner} (${code})`;
  return error.stack ?? error.message;
}

function command(work: (...values: never[]) => Promise<ExitCode>) {
  return async (...values: unknown[]) => {
    await runCommand(work, values);
    setTimeout(exitWhenRead, LINGER_MS).unref();
  };
}

/** Ends the process when all that was printed has been taken: a pipe may be read slowly, and what is in it is lost with the process. */
async function exitWhenRead(): Promise<void> {
  const taken = (stream: NodeJS.WriteStream) =>
    new Promise<void>((resolve) => {
      stream.once('error', () => resolve());
      stream.write('', () => resolve());
    });
  await Promise.all([taken(process.stdout), taken(process.stderr)]);
  process.exit();
}

async function runCommand(work: (...values: never[]) => Promise<ExitCode>, values: unknown[]): Promise<void> {
  try {
    process.exitCode = await work(...(values as never[]));
  } catch (error) {
    const known = error instanceof FixativeError;
    terminal.note(`${known ? error.message : explain(error)}
`);
    process.exitCode =
      known && ['INVALID_INPUT', 'INVALID_ID', 'NOT_FOUND', 'UNKNOWN_MODEL'].includes(error.code)
        ? EXIT.usage
        : EXIT.failed;
  }
}

const wholeNumber = (name: string, low: number, high: number) => (text: string) => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new InvalidArgumentError(`${name} goes from ${low} to ${high}.`);
};

const program = new Command('fixative')
  .description(
    'Makes the images of AI products permanent. Settings come from the environment; .env.example explains each.',
  )
  .addHelpText(
    'after',
    '\nExit codes: 0 all is well, 1 it failed, 2 wrong usage or settings, 3 it ran and found something that is not right.',
  )
  .configureOutput({ outputError: (text, write) => write(text) })
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  });

program
  .command('serve')
  .description('serve GraphQL and images, and work: generate, repair, verify, purge')
  .option('--no-workers', 'only serve; `work` does the rest, in processes of its own')
  .option(
    '--processes <n>',
    'serve in so many processes on one port; one of them works. On PostgreSQL only',
    wholeNumber('--processes', 1, 64),
    1,
  )
  .action(
    command(async ({ workers, processes }: { workers: boolean; processes: number }) => {
      const stopped = firstSignal();
      const { serve } = await import('../command/serve.ts');
      if (processes === 1)
        return withApp((app) => serve(app, app.config, { terminal, stopped, workers }), {
          works: workers,
          stopped,
        });
      if (!isOneOfSeveral()) return serveInProcesses(processes, readConfig(), { terminal, stopped, workers });
      const { works, leave, ...told } = await enterProcess();
      const both = Promise.race([stopped, told.stopped]);
      return withApp((app) => serve(app, app.config, { ...told, stopped: both, workers: works }), {
        works,
        stopped: both,
      }).finally(leave);
    }),
  );

program
  .command('work')
  .description(
    'generate, repair, verify and purge for servers that run with --no-workers; as many as you like',
  )
  .action(
    command(async () => {
      const stopped = firstSignal();
      const { work } = await import('../command/work.ts');
      return withApp((app) => work(app, app.config, { terminal, stopped }), {
        works: true,
        stopped,
      });
    }),
  );

program
  .command('migrate')
  .description('bring the database up to date')
  .option('--check', 'only say whether it is; ends with 3 when it is not', false)
  .option('--new <name>', 'write what changed in prisma/schema.prisma as a new migration (for developers)')
  .option('--json', 'answer in JSON', false)
  .action(
    command(async (options: { check: boolean; json: boolean; new?: string }) => {
      const { runMigrate, runNewMigration } = await import('../command/migrate.ts');
      if (options.new !== undefined) return runNewMigration(options.new, terminal);
      const config = readConfig();
      const { openDatabase } = await import('../app/open-database.ts');
      const { database, release } = await openDatabase(config, appOptions(config));
      return runMigrate(database, options, terminal).finally(release);
    }),
  );

function parseFilter(text: string): ImageFilter {
  try {
    return parseImageFilter(text);
  } catch (error) {
    if (error instanceof FixativeError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function parseExpiry(text: string): Date {
  const time = expiryOf(text, Date.now());
  if (time) return time;
  throw new InvalidArgumentError('Say 90d, 12h or 30m, or a time to come, such as 2027-01-31T00:00:00Z.');
}

const MANY = Number.MAX_SAFE_INTEGER;

program
  .command('verify')
  .description('read every copy of every image and compare its hash; those unseen for the longest time first')
  .option('--fast', 'only look whether they are there with their length', false)
  .option('--limit <n>', 'look at so many copies at the most', wholeNumber('--limit', 1, MANY))
  .option('--seconds <n>', 'look for so long at the most', wholeNumber('--seconds', 1, MANY))
  .option(
    '--percent <n>',
    'look at so many percent of the copies at the most',
    wholeNumber('--percent', 1, 100),
  )
  .option('--store <name...>', 'look into these stores only')
  .option(
    '--max-missing <percent>',
    'stop when more of a store is missing',
    wholeNumber('--max-missing', 0, 100),
    10,
  )
  .option('--json', 'a line of JSON for each bad copy and each orphan, and one for the summary', false)
  .action(
    command(
      ({
        fast,
        store,
        maxMissing,
        ...options
      }: {
        fast: boolean;
        limit?: number;
        seconds?: number;
        percent?: number;
        store?: string[];
        maxMissing: number;
        json: boolean;
      }) =>
        withApp(async (app) => {
          const { runVerify } = await import('../command/verify.ts');
          const given = { deep: !fast, maxMissingPercent: maxMissing, ...(store ? { stores: store } : {}) };
          return runVerify(app.storage, { ...options, ...given }, terminal);
        }),
    ),
  );

program
  .command('restore')
  .description('make every store hold a healthy copy again')
  .argument('[id...]', 'uuids of images')
  .option(
    '--filter <json>',
    'the images of a filter, such as \'{"userId":"user123","tags":["sunset"]}\'',
    parseFilter,
  )
  .option('--all', 'all images; what is in a store and on no record goes into quarantine', false)
  .option('--dry-run', 'say what would be done', false)
  .option(
    '--max-missing <percent>',
    'stop when more of a store is missing',
    wholeNumber('--max-missing', 0, 100),
    10,
  )
  .option(
    '--orphan-grace <seconds>',
    'leave younger orphans alone',
    wholeNumber('--orphan-grace', 0, MANY),
    3600,
  )
  .option('--json', 'a line of JSON for each, and one for the summary', false)
  .action(
    command(
      (
        ids: string[],
        {
          orphanGrace,
          ...options
        }: {
          all: boolean;
          filter?: ImageFilter;
          dryRun: boolean;
          maxMissing: number;
          orphanGrace: number;
          json: boolean;
        },
      ) =>
        withApp(async (app) => {
          const { runRestore } = await import('../command/restore.ts');
          return runRestore(app, { ids, ...options, orphanGraceSeconds: orphanGrace }, terminal);
        }),
    ),
  );

/** A signal that the first SIGINT or SIGTERM gives: what is under way is finished, and nothing more is begun. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  void firstSignal().then(() => controller.abort());
  return controller.signal;
}

const importCommand = program.command('import').description('bring in images that exist already');

importCommand
  .command('directory')
  .description('every picture below a folder; the same command again goes on, and adds nothing twice')
  .argument('<path>', 'the folder')
  .option('--user <id>', 'whose they are; `root` without it, or whose the sidecar of an export says')
  .option('--tool <name>', 'the tool that they belong to')
  .option('--tag <tag...>', 'tags for each of them')
  .option('--again', 'also what was removed before', false)
  .option('--dry-run', 'say what would be done', false)
  .option('--json', 'a line of JSON for each file, and one for the summary', false)
  .action(
    command(
      (
        directory: string,
        {
          user,
          tag,
          ...options
        }: { user?: string; tool?: string; tag?: string[]; again: boolean; dryRun: boolean; json: boolean },
      ) =>
        withApp(async (app) => {
          const { runImportDirectory } = await import('../command/import-directory.ts');
          const given = { directory, userId: user, tags: tag, signal: stopSignal() };
          return runImportDirectory(app, { ...options, ...given }, terminal);
        }),
    ),
  );

const importOptions = (name: string) =>
  importCommand
    .command(name)
    .option('--user <id>', 'whose they are where the source does not say', 'root')
    .option('--concurrency <n>', 'fetch so many at a time', wholeNumber('--concurrency', 1, 64), 4)
    .option('--dry-run', 'only say what would be fetched', false)
    .option('--json', 'a line of JSON for each, and one for the summary', false);

importOptions('urls')
  .description('rescue addresses before they expire, the soonest first; a second run adds nothing')
  .argument(
    '<file>',
    'an address a line; or CSV with a column url, and prompt, tool, userId, model, tags (a;b), …',
  )
  .action(
    command((file: string, options: Omit<ImportUrlsCommand, 'file' | 'signal'>) =>
      withApp(async (app) => {
        const { runImportUrls } = await import('../command/import-urls.ts');
        return runImportUrls(app.services, { file, ...options, signal: stopSignal() }, terminal);
      }),
    ),
  );

importOptions('table')
  .description('bring over the rows of another table, with their bytes; a second run adds nothing')
  .argument('<database-url>', 'where it is: postgresql://…')
  .option('--table <name>', 'its name, or schema.name', 'generated_images')
  .option('--id-column <name>', 'what names its rows, unique and not null', 'id')
  .option('--url-column <name>', 'where its addresses are; default: storage_url, else original_url')
  .option(
    '--map <column=field>',
    'a column that has another name than its field in generated_images; again for each',
    (text: string, before: string[]) => [...before, text],
    [] as string[],
  )
  .option('--base-url <url>', 'what relative addresses are relative to')
  .option('--write-back <column>', 'write our permanent address there once the bytes are kept')
  .option('--retry-failed', 'try again what is on record as lost', false)
  .action(
    command(
      (databaseUrl: string, options: Omit<ImportTableCommand, 'databaseUrl' | 'publicUrl' | 'signal'>) =>
        withApp(async (app) => {
          const { runImportTable } = await import('../command/import-table.ts');
          const { publicUrl } = app.config;
          const given = { databaseUrl, publicUrl, signal: stopSignal() };
          return runImportTable(app.services, { ...options, ...given }, terminal);
        }),
    ),
  );

program
  .command('export')
  .description(
    'write images to a directory, each with what is known of it beside it; `import directory` reads that',
  )
  .argument('<directory>', 'made where it is not there')
  .option('--filter <json>', 'the images of a filter; all without it', parseFilter, {})
  .option('--json', 'a line of JSON for each image, and one for the summary', false)
  .action(
    command((directory: string, options: { filter: ImageFilter; json: boolean }) =>
      withApp(async (app) => {
        const { runExport } = await import('../command/export.ts');
        return runExport(app, { directory, ...options, signal: stopSignal() }, terminal);
      }),
    ),
  );

const tokenCommand = program
  .command('token')
  .description('let programs in: make, list and revoke API tokens');

/** Only the database: no store is asked for these. */
async function withTokens(run: (tokens: Tokens) => Promise<ExitCode>): Promise<ExitCode> {
  const config = readConfig();
  const { openDatabase } = await import('../app/open-database.ts');
  const { database, release } = await openDatabase(config, appOptions(config));
  return runWithTokens(database, appOptions(config).log, run).finally(release);
}

tokenCommand
  .command('create')
  .description('make a token; it is shown this once')
  .requiredOption('--name <name>', 'for people')
  .requiredOption('--scope <scope...>', `what it allows: ${Object.keys(SCOPES).join(', ')}`)
  .option('--user <id>', 'whose images it sees and changes; without it a service, which may act for any user')
  .option(
    '--expires <when>',
    'in 90d, 12h or 30m, or at a time as ISO 8601 writes it; never without it',
    parseExpiry,
  )
  .option('--json', 'answer in JSON', false)
  .action(
    command((options: CreateTokenCommand) =>
      withTokens((tokens) => runCreateToken(tokens, options, terminal)),
    ),
  );

tokenCommand
  .command('list')
  .description('say which tokens there are')
  .option('--revoked', 'also those that were revoked', false)
  .option('--json', 'a line of JSON for each', false)
  .action(
    command((options: { revoked: boolean; json: boolean }) =>
      withTokens((tokens) => runListTokens(tokens, options, terminal)),
    ),
  );

tokenCommand
  .command('revoke')
  .description('end tokens; servers hear of it within ten seconds')
  .argument('<id...>', 'their ids, as `token list` shows them')
  .action(command((ids: string[]) => withTokens((tokens) => runRevokeTokens(tokens, ids, terminal))));

program
  .command('claim')
  .description('say that the directory of a store is the right one although its marker is missing')
  .argument('<store>', 'the name of the store')
  .action(
    command((name: string) =>
      withApp(async (app) => {
        const { runClaim } = await import('../command/claim.ts');
        return runClaim(app.storage, name, terminal);
      }),
    ),
  );

program
  .command('prepare')
  .description('make the database that a first start begins from; `npm ci` has done so')
  .action(
    command(async () => {
      const { runPrepare } = await import('../command/prepare.ts');
      return runPrepare();
    }),
  );

program
  .command('schema')
  .description('print the GraphQL schema')
  .action(
    command(async () => {
      const { schemaText } = await import('../command/schema.ts');
      terminal.out(schemaText());
      return EXIT.ok;
    }),
  );

export async function runCommandLine(): Promise<void> {
  if (process.argv.length <= 2) program.help();
  await program.parseAsync();
}
