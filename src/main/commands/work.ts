import type { Command } from 'commander';
import { asActor, SERVER } from '../../audit/actor.ts';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { firstSignal } from '../signals.ts';
import { terminal } from '../terminal.ts';

export function registerWork(program: Command): void {
  program
    .command('work')
    .description(
      'generate, repair, verify and purge images for servers that run with --no-workers; start as many as you like',
    )
    .action(
      action(async () => {
        const stopped = firstSignal();
        const { work } = await import('../../command/work.ts');
        return withApp((app) => asActor(SERVER, () => work(app, app.config, { terminal, stopped })), {
          works: true,
          stopped,
        });
      }),
    );
}
