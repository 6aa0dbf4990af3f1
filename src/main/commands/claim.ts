import type { Command } from 'commander';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { terminal } from '../terminal.ts';

export function registerClaim(program: Command): void {
  program
    .command('claim')
    .description('accept the directory of a store whose marker is missing')
    .argument('<store>', 'name of the store')
    .action(
      action((name: string) =>
        withApp(async (app) => {
          const { runClaim } = await import('../../command/claim.ts');
          return runClaim(app.storage, name, terminal);
        }),
      ),
    );
}
