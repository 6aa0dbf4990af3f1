import type { Logger } from 'pino';
import type { ImageDeps } from '../image/image.ts';
import { purgeTrash } from '../image/purge.ts';

/** The scheduled emptying of the trash: one server at a time. */
export async function runScheduledPurge(
  deps: ImageDeps & { log: Logger },
  days: number,
  signal: AbortSignal,
): Promise<void> {
  await deps.database.exclusively('purge', async () => {
    const tally = await purgeTrash(deps, days, signal);
    if (tally.purged + tally.failed > 0) deps.log.info(tally, 'emptied the trash');
  });
}
