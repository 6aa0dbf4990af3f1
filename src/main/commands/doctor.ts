import type { Command } from 'commander';
import { action } from '../action.ts';
import { withSettings } from '../open.ts';
import { parseWholeNumber } from '../options.ts';
import { terminal } from '../terminal.ts';

interface DoctorFlags {
  readonly seconds: number;
  readonly json: boolean;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check settings, disks, database, stores, provider keys and addresses; say what to do')
    .option('--seconds <n>', 'seconds that each check may take', parseWholeNumber('--seconds', 1, 600), 20)
    .option('--json', 'print one JSON line for each finding, and one for the summary', false)
    .action(
      action(({ seconds, json }: DoctorFlags) =>
        withSettings(async (environment, directory, options) => {
          const [{ makeChecks, readSettings }, { runDoctor }, { makeScrubber }] = await Promise.all([
            import('../../app/doctor/doctor.ts'),
            import('../../app/doctor/report.ts'),
            import('../../log.ts'),
          ]);
          const settings = readSettings(environment, directory);
          const { checks, close } = makeChecks(settings, options);
          const removeSecrets = makeScrubber(settings.config?.secrets ?? []);
          return runDoctor(checks, { json, seconds, removeSecrets }, terminal).finally(close);
        }),
      ),
    );
}
