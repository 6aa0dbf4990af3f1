/** Fields of `Image` that say where its bytes are kept and how safe they are. */
import type { CopyRow } from '../../image/copies.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { Copy, copiesOf } from './copy.ts';
import { Image } from './image.ts';

const Durability = builder.enumType('Durability', {
  description:
    'How safe the bytes of an image are, by the state of their copies. From best to worst: DURABLE, DEGRADED, AT_RISK, LOST.',
  values: {
    DURABLE: { description: 'Every configured store that accepts files of this size has a healthy copy.' },
    DEGRADED: { description: 'At least one store lacks a healthy copy. The server repairs it by itself.' },
    AT_RISK: { description: 'One healthy copy is left; others were lost or damaged.' },
    LOST: { description: 'No configured store has a healthy copy.' },
  } as const,
});

type DurabilityName = 'DURABLE' | 'DEGRADED' | 'AT_RISK' | 'LOST';

/** @param stores names of the configured stores. */
function durabilityOf(copies: readonly CopyRow[], stores: readonly string[]): DurabilityName {
  const isIn = (store: string, state: CopyRow['state']) =>
    copies.some((copy) => copy.store === store && copy.state === state);
  const healthy = stores.filter((store) => isIn(store, 'STORED'));
  const accepting = stores.filter((store) => !isIn(store, 'TOO_LARGE'));
  if (healthy.length === accepting.length && healthy.length > 0) return 'DURABLE';
  if (healthy.length === 0) return 'LOST';
  const lost = copies.some((copy) => copy.state === 'MISSING' || copy.state === 'CORRUPT');
  return healthy.length === 1 && lost ? 'AT_RISK' : 'DEGRADED';
}

builder.objectFields(Image, (t) => ({
  copies: t.field({
    type: [Copy],
    description: 'Copies of the bytes, in the order in which the server reads its stores.',
    extensions: { cost: LIST_COST },
    resolve: (image, _args, context) => copiesOf(image, context),
  }),
  durability: t.field({
    type: Durability,
    nullable: true,
    description: 'How safe the bytes are; null if the image has no bytes.',
    resolve: async ({ blobId }, _args, { loaders, services }) => {
      if (blobId === null) return null;
      const names = services.storage.stores.map((store) => store.name);
      return durabilityOf(await loaders.copiesOfBlob.load(Number(blobId)), names);
    },
  }),
}));
