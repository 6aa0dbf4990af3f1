/** Fields of `Image` that say where its bytes are kept and how safe they are. */
import { durabilityOf } from '../../image/copies.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { Copy, copiesOf } from './copy.ts';
import { Image } from './image.ts';

export const Durability = builder.enumType('Durability', {
  description:
    'How safe the bytes of an image are, by the state of their copies. From best to worst: DURABLE, DEGRADED, AT_RISK, LOST.',
  values: {
    DURABLE: { description: 'Every configured store that accepts files of this size has a healthy copy.' },
    DEGRADED: { description: 'At least one store lacks a healthy copy. The server repairs it by itself.' },
    AT_RISK: { description: 'One healthy copy is left; others were lost or damaged.' },
    LOST: { description: 'No configured store has a healthy copy.' },
  } as const,
});

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
