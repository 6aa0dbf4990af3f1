import type { Command } from 'commander';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { NO_LIMIT, parseWholeNumber } from '../options.ts';
import { terminal } from '../terminal.ts';

interface VerifyFlags {
  readonly fast: boolean;
  readonly limit?: number;
  readonly seconds?: number;
  readonly percent?: number;
  readonly store?: string[];
  readonly maxMissing: number;
  readonly json: boolean;
}

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('read every copy of every image and compare its hash; the longest unverified first')
    .option('--fast', 'only check that each copy exists and has its length', false)
    .option('--limit <n>', 'check at most N copies', parseWholeNumber('--limit', 1, NO_LIMIT))
    .option('--seconds <n>', 'stop after N seconds', parseWholeNumber('--seconds', 1, NO_LIMIT))
    .option('--percent <n>', 'check at most N percent of the copies', parseWholeNumber('--percent', 1, 100))
    .option('--store <name...>', 'check these stores only')
    .option(
      '--max-missing <percent>',
      'stop when more of a store is missing',
      parseWholeNumber('--max-missing', 0, 100),
      10,
    )
    .option('--json', 'print one JSON line for each bad copy and each orphan, and one for the summary', false)
    .action(
      action(({ fast, store, maxMissing, ...options }: VerifyFlags) =>
        withApp(async (app) => {
          const { runVerify } = await import('../../command/verify.ts');
          const stores = store ? { stores: store } : {};
          const verifyOptions = { ...options, deep: !fast, maxMissingPercent: maxMissing, ...stores };
          return runVerify(app.storage, verifyOptions, terminal);
        }),
      ),
    );
}
