import type { Command } from 'commander';
import type { ImportTableCommand } from '../../command/import/import-table.ts';
import type { ImportUrlsCommand } from '../../command/import/import-urls.ts';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { parseWholeNumber } from '../options.ts';
import { stopSignal } from '../signals.ts';
import { terminal } from '../terminal.ts';

export function registerImport(program: Command): void {
  const importCommand = program.command('import').description('import images from elsewhere');
  registerImportDirectory(importCommand);
  registerImportUrls(importCommand);
  registerImportTable(importCommand);
}

interface ImportDirectoryFlags {
  readonly user?: string;
  readonly tool?: string;
  readonly tag?: string[];
  readonly again: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

function registerImportDirectory(importCommand: Command): void {
  importCommand
    .command('directory')
    .description('import every image below a folder; a second run goes on and adds nothing twice')
    .argument('<path>', 'the folder')
    .option(
      '--user <id>',
      'owner of the images; default: the owner in the sidecar of an export, otherwise root',
    )
    .option('--tool <name>', 'tool of the images')
    .option('--tag <tag...>', 'tags of the images')
    .option('--again', 'also import images that were removed before: in the trash, or purged', false)
    .option('--dry-run', 'only print what would be done', false)
    .option('--json', 'print one JSON line for each file, and one for the summary', false)
    .action(
      action((directory: string, { user, tag, ...options }: ImportDirectoryFlags) =>
        withApp(async (app) => {
          const { runImportDirectory } = await import('../../command/import/import-directory.ts');
          const source = { directory, userId: user, tags: tag, signal: stopSignal() };
          return runImportDirectory(app, { ...options, ...source }, terminal);
        }),
      ),
    );
}

/** Adds a command with the options that all imports from URLs have. */
function addUrlImport(importCommand: Command, name: string): Command {
  return importCommand
    .command(name)
    .option('--user <id>', 'owner of the images that the source names no owner of', 'root')
    .option('--concurrency <n>', 'fetch N at a time', parseWholeNumber('--concurrency', 1, 64), 4)
    .option('--dry-run', 'only print what would be fetched', false)
    .option('--json', 'print one JSON line for each URL or row, and one for the summary', false);
}

function registerImportUrls(importCommand: Command): void {
  addUrlImport(importCommand, 'urls')
    .description('rescue URLs before they expire, the first to expire first; a second run adds nothing')
    .argument(
      '<file>',
      'one URL a line; or CSV with a column url, and prompt, tool, userId, model, tags (a;b), …',
    )
    .action(
      action((file: string, options: Omit<ImportUrlsCommand, 'file' | 'signal'>) =>
        withApp(async (app) => {
          const { runImportUrls } = await import('../../command/import/import-urls.ts');
          return runImportUrls(app.services, { file, ...options, signal: stopSignal() }, terminal);
        }),
      ),
    );
}

function registerImportTable(importCommand: Command): void {
  addUrlImport(importCommand, 'table')
    .description('import the rows of another table with their bytes; a second run adds nothing')
    .argument('<database-url>', 'URL of the database: postgresql://…')
    .option('--table <name>', 'name of the table, or schema.name', 'generated_images')
    .option('--id-column <name>', 'column that identifies a row; unique and not null', 'id')
    .option('--url-column <name>', 'column of the URLs; default: storage_url, otherwise original_url')
    .option(
      '--map <column=field>',
      'a column and the field of generated_images that it belongs to; repeat for each column',
      (text: string, before: string[]) => [...before, text],
      [] as string[],
    )
    .option('--base-url <url>', 'URL that relative URLs start at')
    .option('--write-back <column>', 'column to write our permanent URL to after the bytes are stored')
    .option('--retry-failed', 'retry rows that are recorded as lost', false)
    .action(
      action(
        (databaseUrl: string, options: Omit<ImportTableCommand, 'databaseUrl' | 'publicUrl' | 'signal'>) =>
          withApp(async (app) => {
            const { runImportTable } = await import('../../command/import/import-table.ts');
            const { publicUrl } = app.config;
            const source = { databaseUrl, publicUrl, signal: stopSignal() };
            return runImportTable(app.services, { ...options, ...source }, terminal);
          }),
      ),
    );
}
