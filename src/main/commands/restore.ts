import type { Command } from 'commander';
import type { ImageFilter } from '../../image/list/conditions.ts';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { NO_LIMIT, parseFilter, parseWholeNumber } from '../options.ts';
import { terminal } from '../terminal.ts';

interface RestoreFlags {
  readonly all: boolean;
  readonly filter?: ImageFilter;
  readonly dryRun: boolean;
  readonly maxMissing: number;
  readonly orphanGrace: number;
  readonly json: boolean;
}

export function registerRestore(program: Command): void {
  program
    .command('restore')
    .description('make every store hold a healthy copy again')
    .argument('[id...]', 'uuids of images')
    .option(
      '--filter <json>',
      'restore the images of a filter, such as \'{"userId":"user123","tags":["sunset"]}\'',
      parseFilter,
    )
    .option('--all', 'restore all images, and move orphans of the stores into quarantine', false)
    .option('--dry-run', 'only print what would be done', false)
    .option(
      '--max-missing <percent>',
      'stop when more of a store is missing',
      parseWholeNumber('--max-missing', 0, 100),
      10,
    )
    .option(
      '--orphan-grace <seconds>',
      'leave orphans alone that are younger',
      parseWholeNumber('--orphan-grace', 0, NO_LIMIT),
      3600,
    )
    .option('--json', 'print one JSON line for each image, blob or orphan, and one for the summary', false)
    .action(
      action((ids: string[], { orphanGrace, ...options }: RestoreFlags) =>
        withApp(async (app) => {
          const { runRestore } = await import('../../command/restore.ts');
          return runRestore(app, { ids, ...options, orphanGraceSeconds: orphanGrace }, terminal);
        }),
      ),
    );
}
