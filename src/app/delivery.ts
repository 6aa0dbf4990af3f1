import type { Config } from '../config.ts';
import { type Delivery, makeAccelDelivery, makeRedirectDelivery } from '../http/bytes/delivery.ts';
import type { Storage } from '../storage/service.ts';
import type { OpenedStores } from './open-stores.ts';

/** Returns what sends the bytes of originals instead of this process; null: this process does. */
export function makeDelivery(
  config: Config,
  storage: Storage,
  { copyUrls, presigners }: Pick<OpenedStores, 'copyUrls' | 'presigners'>,
): Delivery | null {
  if (config.delivery === 'direct') return null;
  if (config.delivery === 'x-accel') return makeAccelDelivery(storage, config.xAccelPrefix);
  return makeRedirectDelivery(
    {
      publicUrl: (store, key) => copyUrls.get(store)?.(key) ?? null,
      // Without credentials nothing can be signed. This process sends the bytes then.
      presign: async (store, key, answer) =>
        (await presigners
          .get(store)?.(key, answer)
          .catch(() => null)) ?? null,
    },
    storage.stores.map(({ name }) => name),
  );
}
