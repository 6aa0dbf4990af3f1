import type { Durability } from '../../image/copies.ts';
import { findStores } from '../../image/list/durability.ts';
import { MAX_READ } from '../../image/list/newest-images.ts';
import { countStats } from '../../image/list/stats.ts';
import { findVerifyAges, MAX_COPIES, VERIFY_DAYS, type VerifyAges } from '../../storage/verify-ages.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { selectedFields } from '../builder/selected-fields.ts';
import { conditionsOf } from '../image/image-filter.ts';
import { ImageDurabilityStats } from './groups.ts';

interface Stats {
  /** null: not asked for. */
  readonly images: Readonly<Record<Durability, number>> | null;
  readonly imagesComplete: boolean;
  readonly stores: readonly VerifyAges[];
}

const VerifiedWithin = builder
  .objectRef<{ days: number; copies: number; share: number | null }>('VerifiedWithin')
  .implement({
    description: 'Copies that were verified lately.',
    fields: (t) => ({
      days: t.exposeInt('days', { description: 'Number of days, to now.' }),
      copies: t.exposeInt('copies', {
        description: 'Number of healthy copies that were verified since then.',
      }),
      share: t.exposeFloat('share', {
        nullable: true,
        description: 'Their share of the healthy copies, 0 to 1; null if there are none.',
      }),
    }),
  });

const StoreVerification = builder.objectRef<VerifyAges>('StoreVerification').implement({
  description: 'When the healthy copies of a store were verified.',
  fields: (t) => ({
    store: t.exposeString('store', { description: 'Name of the store (`Store.name`).' }),
    copies: t.exposeInt('copies', { description: 'Number of healthy copies that were counted.' }),
    neverVerified: t.exposeInt('neverVerified', {
      description: 'Number of healthy copies that were never verified.',
    }),
    oldestVerifiedAt: t.expose('oldestVerifiedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the copy that was verified longest ago was verified; null if none was.',
    }),
    verifiedWithin: t.field({
      type: [VerifiedWithin],
      description: `Copies that were verified within the last ${VERIFY_DAYS.join(', ')} days.`,
      extensions: { cost: { length: VERIFY_DAYS.length } },
      resolve: ({ within, copies }) =>
        VERIFY_DAYS.map((days, place) => {
          const verified = within[place] ?? 0;
          return { days, copies: verified, share: copies === 0 ? null : verified / copies };
        }),
    }),
    complete: t.exposeBoolean('complete', {
      description: `Whether all healthy copies were counted: at most ${MAX_COPIES.toLocaleString('en')} of a store are.`,
    }),
  }),
});

const DurabilityStats = builder.objectRef<Stats>('DurabilityStats').implement({
  description: 'How safe the bytes of the images are.',
  fields: (t) => ({
    images: t.field({
      type: ImageDurabilityStats,
      description: 'Numbers of images by durability, of those that `images` lists without a filter.',
      extensions: { cost: { extra: 1000 } },
      resolve: ({ images }) => images ?? { DURABLE: 0, DEGRADED: 0, AT_RISK: 0, LOST: 0 },
    }),
    imagesComplete: t.exposeBoolean('imagesComplete', {
      description: `Whether \`images\` counts all of them. The newest ${MAX_READ.toLocaleString('en')} are counted.`,
    }),
    stores: t.field({
      type: [StoreVerification],
      description: 'The configured stores in read order.',
      extensions: { cost: { ...LIST_COST, extra: 2000 } },
      resolve: ({ stores }) => [...stores],
    }),
  }),
});

builder.queryField('durabilityStats', (t) =>
  t.field({
    type: DurabilityStats,
    description: 'Returns how safe the bytes of all images are, and how much of each store is verified.',
    extensions: { scope: 'stores:read' },
    resolve: async (_root, _args, context, info): Promise<Stats> => {
      const { storage } = context.services;
      const database = await context.services.reads();
      const asks = selectedFields(info);
      const fields = new Set(['byDurability']);
      const names = storage.stores.map(({ name }) => name);
      const asksImages = asks.has('images') || asks.has('imagesComplete');
      const [counted, stores] = await Promise.all([
        asksImages
          ? countStats({ database }, await conditionsOf(context, null), {
              fields,
              stores: await findStores({ database, stores: storage.stores }),
            })
          : null,
        asks.has('stores') ? findVerifyAges(database, names) : [],
      ]);
      return { images: counted?.byDurability ?? null, imagesComplete: counted?.complete ?? true, stores };
    },
  }),
);
