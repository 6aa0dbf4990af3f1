import { FixativeError, InputError } from '../errors.ts';
import type { Restoration } from '../storage/service.ts';
import type { Image, ImageDeps } from './image.ts';

/**
 * Makes every configured store, or those named, hold a healthy copy of an image again. Every copy is read, whatever its times
 * say: who asks for one image wants to know.
 * @throws FixativeError BYTES_LOST, StoreError, InputError for a store that is not configured.
 */
export async function restoreImage(
  deps: Pick<ImageDeps, 'storage'>,
  image: Image,
  options: { stores?: readonly string[] | null | undefined; dryRun?: boolean } = {},
): Promise<Restoration> {
  const names = deps.storage.stores.map((store) => store.name);
  if (options.stores?.length === 0) {
    throw new InputError('INVALID_INPUT', 'stores is empty; leave it out to restore all.', {
      path: ['input', 'stores'],
    });
  }
  const stranger = options.stores?.find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new InputError(
      'INVALID_INPUT',
      `There is no store ${JSON.stringify(stranger)}; there are ${names.join(', ')}.`,
      {
        path: ['input', 'stores'],
      },
    );
  }
  if (image.blobId === null) {
    throw new FixativeError(
      'BYTES_LOST',
      `Image ${image.uuid} has no bytes to restore: its status is ${image.status}.`,
      {
        path: ['input', 'id'],
      },
    );
  }
  return deps.storage.restore(Number(image.blobId), {
    deep: true,
    dryRun: options.dryRun ?? false,
    ...(options.stores ? { stores: options.stores } : {}),
  });
}
