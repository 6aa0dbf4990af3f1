import type { Command } from 'commander';
import { action } from '../action.ts';
import { withDatabase } from '../open.ts';
import { terminal } from '../terminal.ts';

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('apply the migrations that the database lacks')
    .option('--check', 'only check; exit code 3 if the database is not up to date', false)
    .option('--new <name>', 'write the changes of prisma/schema.prisma as a new migration (for developers)')
    .option('--json', 'print JSON', false)
    .action(
      action(async (options: { check: boolean; json: boolean; new?: string }) => {
        const { runMigrate, runNewMigration } = await import('../../command/migrate.ts');
        if (options.new !== undefined) return runNewMigration(options.new, terminal);
        return withDatabase((database) => runMigrate(database, options, terminal));
      }),
    );
}
