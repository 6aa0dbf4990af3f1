import { countLacking } from '../../storage/blob.ts';
import { countImages } from '../list/count.ts';
import { withStores } from '../list/durability.ts';
import { parseImageFilter } from '../list/filter-json.ts';
import type { MaintenanceWork } from './execute.ts';
import { restoreMany } from './restore-many.ts';

/** Most images to count before a restore by a filter; above it the total is an estimate. */
const COUNT_LIMIT = 100_000;

/** Restores the images of the filter; without one, checks what exists and restores what is missing. */
export const restoreWork: MaintenanceWork = async (
  deps,
  { stores, filter, options },
  { progress, signal },
) => {
  const { database, storage } = deps;
  if (filter) {
    const images = await withStores(
      { database, stores: storage.stores },
      parseImageFilter(JSON.stringify(filter)),
    );
    progress.expect((await countImages(database, images, COUNT_LIMIT)).count);
    for await (const outcome of restoreMany(deps, { filter: images }, { stores, signal }))
      progress.restored(outcome);
    return;
  }
  await storage.verify({
    ...options,
    deep: false,
    stores,
    orphans: false,
    records: false,
    onProgress: (state) => progress.verified(state),
    signal,
  });
  const into = storage.stores.filter(({ name }) => stores.includes(name));
  progress.expect(await countLacking(database, into));
  for await (const outcome of restoreMany(deps, { lacking: true }, { stores, signal }))
    progress.restored(outcome);
};
