import { showToast } from '../design/toast.tsx';
import { type BulkAction, runBulk } from '../grid/bulk/actions.ts';
import type { ImageList, Tile } from '../grid/list/list.ts';
import { makeSource } from '../grid/list/source.ts';
import { PAGE_SIZE } from '../grid/list/window.ts';

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
    if ('fault' in page) return showToast(page.fault, { tone: 'bad' });
    if (page.entries.length === 0) return;
    const tiles: Tile[] = page.entries.map(({ node }) => node).filter((tile) => isBefore(tile, started));
    const isWhole = await runBulk(purge, tiles);
    if (!isWhole || !page.hasNextPage) return;
    after = page.entries.at(-1)?.cursor;
  }
}

const isBefore = ({ deletedAt }: Tile, time: string) => deletedAt !== null && deletedAt < time;
