import type { StorageDeps } from '../deps.ts';

/** Runs a write to the record that must not fail the response: an error is logged and not thrown. */
export async function recordOrLog(
  { log }: Pick<StorageDeps, 'log'>,
  write: () => Promise<unknown>,
): Promise<void> {
  await write().catch((error) => log.error({ err: error }, 'could not record the state of a copy'));
}
