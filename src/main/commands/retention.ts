import type { Command } from 'commander';
import type { SetRetentionCommand } from '../../command/retention.ts';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { parseShare, parseWholeNumber } from '../options.ts';
import { terminal } from '../terminal.ts';

const load = () => import('../../command/retention.ts');

export function registerRetention(program: Command): void {
  const retention = program
    .command('retention')
    .description('say which images go to the trash, preview it and do it (docs/retention.md)');

  retention
    .command('list')
    .description('list the policies')
    .option('--json', 'print one JSON line for each policy', false)
    .action(
      action((options: { json: boolean }) =>
        withApp(async (app) => (await load()).runListRetention(app, options, terminal)),
      ),
    );
  registerSet(retention);
  retention
    .command('delete')
    .description('delete a policy; images in the trash stay there')
    .argument('<name>', 'name of the policy')
    .action(
      action((name: string) =>
        withApp(async (app) => (await load()).runDeleteRetention(app, name, terminal)),
      ),
    );
  retention
    .command('preview')
    .description('say what a run of a policy would put into the trash, and why')
    .argument('<name>', 'name of the policy')
    .option('--first <n>', 'show the first N images', parseWholeNumber('--first', 0, 100), 20)
    .option('--json', 'print JSON', false)
    .action(
      action((name: string, options: { first: number; json: boolean }) =>
        withApp(async (app) => (await load()).runPreviewRetention(app, name, options, terminal)),
      ),
    );
  registerRun(retention);
}

function registerSet(retention: Command): void {
  retention
    .command('set')
    .description('create a policy, or change it; options that are left out keep their values')
    .argument('<name>', 'name of the policy')
    .option('--images <json>', 'which images, as an ImageFilter; none: all')
    .option('--max-age-days <n>', 'days after which an image goes; none: no limit')
    .option('--age-of <time>', 'created or updated')
    .option('--max-count <n>', 'most images; none: no limit')
    .option('--max-bytes <n>', 'most bytes; none: no limit')
    .option('--per <group>', 'all, user or tool')
    .option('--keep-newest <n>', 'newest images that never go; none: none')
    .option('--max-share <share>', 'largest share that a run may take, 0 to 1; none: the setting')
    .option('--enable', 'include the policy in runs of all policies')
    .option('--disable', 'leave the policy out of runs of all policies')
    .option('--json', 'print JSON', false)
    .action(
      action((name: string, options: SetRetentionCommand) =>
        withApp(async (app) => (await load()).runSetRetention(app, name, options, terminal)),
      ),
    );
}

function registerRun(retention: Command): void {
  retention
    .command('run')
    .description('put the images that a policy selects into the trash')
    .argument('[name]', 'name of the policy; default: all enabled policies')
    .option('--max-share <share>', 'share that this run may take, 0 to 1', parseShare('--max-share'))
    .option('--json', 'print JSON', false)
    .action(
      action((name: string | undefined, { maxShare, json }: { maxShare?: number; json: boolean }) =>
        withApp(async (app) =>
          (await load()).runRetention(
            app,
            { name: name ?? null, maxShare: maxShare ?? null, json },
            terminal,
          ),
        ),
      ),
    );
}
