import { Argument, type Command } from 'commander';
import { EXIT } from '../../command/terminal.ts';
import { action } from '../action.ts';
import { terminal } from '../terminal.ts';

/** Registers the commands that make files of a checkout: `prepare`, `schema` and `settings`. */
export function registerGeneratedFiles(program: Command): void {
  program
    .command('prepare')
    .description('make the template of the embedded database, as `npm ci` does; first starts copy it')
    .action(
      action(async () => {
        const { runPrepare } = await import('../../command/prepare.ts');
        return runPrepare();
      }),
    );

  program
    .command('schema')
    .description('print the GraphQL schema')
    .action(
      action(async () => {
        const { schemaText } = await import('../../command/schema.ts');
        terminal.out(schemaText());
        return EXIT.ok;
      }),
    );

  program
    .command('settings')
    .description('print all settings with their defaults')
    .addArgument(
      new Argument('[format]', 'env: .env.example; markdown: docs/configuration.md')
        .choices(['env', 'markdown'])
        .default('env'),
    )
    .action(
      action(async (format: 'env' | 'markdown') => {
        const { settingsText } = await import('../../command/settings.ts');
        terminal.out(settingsText(format));
        return EXIT.ok;
      }),
    );
}
