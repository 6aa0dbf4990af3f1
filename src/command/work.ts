import type { Config } from '../config.ts';
import { FixativeError } from '../errors.ts';
import { EXIT, type ExitCode, isStoppedFirst, type Terminal } from './terminal.ts';

/** Does the jobs until `stopped` resolves; listens to nobody. */
export async function work(
  app: { startJobs(): Promise<void> },
  config: Config,
  { terminal, stopped }: { terminal: Terminal; stopped: Promise<void> },
): Promise<ExitCode> {
  if (config.databaseUrl === null) {
    throw new FixativeError(
      'INVALID_INPUT',
      'The embedded database belongs to one process, and `serve` works in it. Set DATABASE_URL for workers of their own.',
    );
  }
  if (await isStoppedFirst(stopped, app.startJobs())) return EXIT.ok;
  terminal.out('Fixative is at work.\n');
  await stopped;
  terminal.note('Stopping: what is under way is finished first. Once more to stop at once.\n');
  return EXIT.ok;
}
