import type { Command } from 'commander';
import type { ImageFilter } from '../../image/list/conditions.ts';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { parseFilter } from '../options.ts';
import { stopSignal } from '../signals.ts';
import { terminal } from '../terminal.ts';

export function registerExport(program: Command): void {
  program
    .command('export')
    .description('write images and their metadata to a directory; `import directory` reads it')
    .argument('<directory>', 'directory to write to; created if it does not exist')
    .option('--filter <json>', 'export the images of a filter; default: all images', parseFilter, {})
    .option('--json', 'print one JSON line for each image, and one for the summary', false)
    .action(
      action((directory: string, options: { filter: ImageFilter; json: boolean }) =>
        withApp(async (app) => {
          const { runExport } = await import('../../command/export.ts');
          return runExport(app, { directory, ...options, signal: stopSignal() }, terminal);
        }),
      ),
    );
}
