import type { Command } from 'commander';
import { action } from '../action.ts';
import { withApp } from '../open.ts';
import { parsePastTime } from '../options.ts';
import { terminal } from '../terminal.ts';

interface StatsOptions {
  readonly user?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly json: boolean;
}

export function registerStats(program: Command): void {
  program
    .command('stats')
    .description('print statistics of the images and of the verified copies')
    .option('--user <id>', 'only images of this user')
    .option(
      '--since <when>',
      'only images of the last 90d, 12h or 30m, or since an RFC 3339 time',
      parsePastTime,
    )
    .option('--until <when>', 'only images before then', parsePastTime)
    .option('--json', 'print one line of JSON', false)
    .action(
      action(async ({ user, since, until, json }: StatsOptions) => {
        const { runStats } = await import('../../command/stats.ts');
        return withApp(({ services }) =>
          runStats(services, { userId: user, createdAfter: since, createdBefore: until, json }, terminal),
        );
      }),
    );
}
