import type { Command } from 'commander';
import { action } from '../action.ts';
import { openStopped, readConfig } from '../open.ts';
import { terminal } from '../terminal.ts';

const load = () => import('../../command/backup.ts');

export function registerBackup(program: Command): void {
  program
    .command('backup')
    .description('write the embedded database into one file, also while the server runs (docs/backup.md)')
    .argument('<file>', 'file to write, such as fixative.tar.zst')
    .option('--url <address>', 'server to ask; default: the one on this machine, if it runs')
    .action(
      action(async (file: string, { url }: { url?: string }) => {
        const config = readConfig();
        return (await load()).runBackup(
          config,
          { file, url: url ?? null, processId: process.pid },
          openStopped,
          terminal,
        );
      }),
    );
  program
    .command('restore-backup')
    .description('put a backup in the place of the embedded database, while no server runs')
    .argument('<file>', 'file that backup has written')
    .option('--replace', 'move a database that exists aside', false)
    .action(
      action(async (file: string, { replace }: { replace: boolean }) =>
        (await load()).runRestoreBackup(readConfig(), { file, replace, processId: process.pid }, terminal),
      ),
    );
}
