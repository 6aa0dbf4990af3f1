/** Assembles the command line. Each command registers itself. */
import { Command } from 'commander';
import { EXIT } from '../command/terminal.ts';
import { registerAudit } from './commands/audit.ts';
import { registerBackup } from './commands/backup.ts';
import { registerClaim } from './commands/claim.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerExport } from './commands/export.ts';
import { registerGeneratedFiles } from './commands/generated-files.ts';
import { registerImages } from './commands/images.ts';
import { registerImport } from './commands/import.ts';
import { registerMigrate } from './commands/migrate.ts';
import { registerRestore } from './commands/restore.ts';
import { registerRetention } from './commands/retention.ts';
import { registerServe } from './commands/serve.ts';
import { registerStats } from './commands/stats.ts';
import { registerToken } from './commands/token.ts';
import { registerVerify } from './commands/verify.ts';
import { registerWebhook } from './commands/webhook.ts';
import { registerWork } from './commands/work.ts';
import { ignoreClosedPipes } from './terminal.ts';

/** In the order of the help. */
const COMMANDS = [
  registerServe,
  registerWork,
  registerMigrate,
  registerDoctor,
  registerVerify,
  registerRestore,
  registerRetention,
  registerImages,
  registerImport,
  registerExport,
  registerBackup,
  registerToken,
  registerStats,
  registerAudit,
  registerWebhook,
  registerClaim,
  registerGeneratedFiles,
];

/** Runs the command of `process.argv`. */
export async function runCommandLine(): Promise<void> {
  ignoreClosedPipes();
  ignoreAbandonedPromises();
  const program = new Command('fixative')
    .description(
      'Keeps the images of AI products permanent. Settings are read from the environment; docs/configuration.md lists them.',
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 success, 1 failure, 2 wrong usage or settings, 3 the command ran and found a problem.',
    )
    .configureOutput({ outputError: (text, write) => write(text) })
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
    });
  for (const register of COMMANDS) register(program);
  if (process.argv.length <= 2) program.help();
  await program.parseAsync();
}

/**
 * Ignores errors of list items that graphql-js has abandoned. It gives up a list when one item fails at once,
 * and promises of other items may reject later (https://github.com/graphql/graphql-js/pull/3761). The
 * response has failed by then, so such an error must not end the process.
 */
function ignoreAbandonedPromises(): void {
  process.on('unhandledRejection', (reason) => {
    const { name, path } = (reason ?? {}) as { name?: unknown; path?: unknown };
    if (name !== 'GraphQLError' || !Array.isArray(path)) throw reason;
  });
}
