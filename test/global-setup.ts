import { runPrepare } from '../src/command/prepare.ts';

/**
 * Prepares the embedded database that tests start from, unless `npm ci` has made it. A start from it takes a
 * quarter of the time.
 */
export default async function setup(): Promise<void> {
  await runPrepare();
}
