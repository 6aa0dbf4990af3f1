import { type BulkAction, bulkState, runBulk } from '../grid/bulk/actions.ts';
import type { ImageList, Tile } from '../grid/list/list.ts';
import { makeSource } from '../grid/list/source.ts';
import { entriesOf, PAGE_SIZE } from '../grid/list/window.ts';

/**
 * Purges every image of the trash, page by page. Stops when an image could not be purged, or the person stops
 * it. Images that are moved to the trash meanwhile stay there.
 */
export async function emptyTrash(list: ImageList, purge: BulkAction): Promise<void> {
  const started = new Date().toISOString();
  const source = makeSource(list.filter);
  let after: string | undefined;
  for (;;) {
    const page = await source.fetchPage({ first: PAGE_SIZE, ...(after && { after }) });
    if ('fault' in page || page.entries.length === 0) break;
    const tiles: Tile[] = page.entries.map(({ node }) => node).filter((tile) => isBefore(tile, started));
    const isWhole = await runBulk(purge, tiles);
    if (!isWhole || bulkState.get() !== null || !page.hasNextPage) break;
    after = page.entries.at(-1)?.cursor;
  }
  if (entriesOf(list.state.get().window).length === 0) await list.open({ at: 'start' });
}

const isBefore = ({ deletedAt }: Tile, time: string) => deletedAt !== null && deletedAt < time;
