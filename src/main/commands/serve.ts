import type { Command } from 'commander';
import { asActor, SERVER } from '../../audit/actor.ts';
import { enterProcess, isOneOfSeveral, serveInProcesses } from '../../command/processes.ts';
import type { ExitCode } from '../../command/terminal.ts';
import { action } from '../action.ts';
import { readConfig, withApp } from '../open.ts';
import { parseWholeNumber } from '../options.ts';
import { firstSignal } from '../signals.ts';
import { terminal } from '../terminal.ts';

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('serve GraphQL and images; generate, repair, verify and purge images')
    .option('--no-workers', 'serve only; processes of the command `work` do the rest')
    .option(
      '--processes <n>',
      'number of server processes on one port; one of them also works; needs PostgreSQL',
      parseWholeNumber('--processes', 1, 64),
      1,
    )
    .action(action(runServe));
}

async function runServe({ workers, processes }: { workers: boolean; processes: number }): Promise<ExitCode> {
  const stopped = firstSignal();
  const { serve } = await import('../../command/serve.ts');
  if (processes === 1)
    return withApp((app) => asActor(SERVER, () => serve(app, app.config, { terminal, stopped, workers })), {
      works: workers,
      stopped,
    });
  if (!isOneOfSeveral()) return serveInProcesses(processes, readConfig(), { terminal, stopped, workers });
  const { works, leave, scrape, answerWith, ...told } = await enterProcess();
  const both = Promise.race([stopped, told.stopped]);
  return withApp(
    (app) => {
      answerWith(app.processMetrics);
      return asActor(SERVER, () => serve(app, app.config, { ...told, stopped: both, workers: works }));
    },
    { works, stopped: both, scrape },
  ).finally(leave);
}
