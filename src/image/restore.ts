import { recordAudit } from '../audit/audit.ts';
import { FixativeError, InputError } from '../errors.ts';
import type { Restoration, Storage } from '../storage/service.ts';
import type { Image, ImageDeps } from './image.ts';

/**
 * Restores a healthy copy of an image in every configured store, or in the given ones. Reads every copy, also
 * those that were verified recently.
 * @throws FixativeError BYTES_LOST, StoreError, InputError for a store that is not configured.
 */
export async function restoreImage(
  deps: Pick<ImageDeps, 'database' | 'storage'>,
  image: Image,
  options: { stores?: readonly string[] | null | undefined; dryRun?: boolean } = {},
): Promise<Restoration> {
  if (options.stores?.length === 0) {
    throw new InputError(
      'INVALID_INPUT',
      'stores is empty. Leave it out to restore the image in all stores.',
      {
        path: ['input', 'stores'],
      },
    );
  }
  requireStores(deps.storage, options.stores ?? [], ['input', 'stores']);
  if (image.blobId === null) {
    throw new FixativeError(
      'BYTES_LOST',
      `Image ${image.uuid} has no bytes to restore: its status is ${image.status}.`,
      { path: ['input', 'id'] },
    );
  }
  const restoration = await deps.storage.restore(Number(image.blobId), {
    deep: true,
    dryRun: options.dryRun ?? false,
    ...(options.stores ? { stores: options.stores } : {}),
  });
  const stores = restoration.restored.map(({ store }) => store);
  // Each copy has been recorded in a transaction of its own by now.
  if (stores.length > 0 && !options.dryRun)
    await recordAudit(deps.database, { action: 'image.restore', subject: image.uuid, details: { stores } });
  return restoration;
}

/**
 * @param path path in the input, for errors.
 * @throws InputError INVALID_INPUT for a store that is not configured.
 */
export function requireStores(
  { stores }: Pick<Storage, 'stores'>,
  wanted: readonly string[],
  path?: readonly string[],
): void {
  const names = stores.map(({ name }) => name);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const message = `There is no store ${JSON.stringify(unknown)}. Choose from: ${names.join(', ')}.`;
  throw new InputError('INVALID_INPUT', message, path && { path });
}
