import type { StoreHealth } from '../storage/service.ts';
import { builder } from './builder/builder.ts';
import { LIST_COST } from './builder/costs.ts';

const Store = builder.objectRef<StoreHealth>('Store').implement({
  description: 'A configured store, which holds copies of the bytes of images.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the store in the setting STORES.' }),
    kind: t.exposeString('kind', {
      description: 'Kind of the store: `filesystem`, `database`, `s3`, `github` or `memory`.',
    }),
    reachable: t.exposeBoolean('reachable', {
      description: 'Whether the store responded when this field was read.',
    }),
    error: t.exposeString('error', {
      nullable: true,
      description:
        'Why the store is not reachable, or why it accepted no writes in the last minutes; null if no reason is known to this server.',
    }),
    copies: t.exposeInt('copies', { description: 'Number of healthy copies (STORED) on record.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Total size of the healthy copies in bytes.' }),
    missing: t.exposeInt('missing', {
      description: 'Number of copies on record that the store does not have (MISSING).',
    }),
    corrupt: t.exposeInt('corrupt', {
      description: 'Number of copies on record with a wrong length or hash (CORRUPT).',
    }),
    pending: t.exposeInt('pending', { description: 'Number of copies that are not made yet (PENDING).' }),
    tooLarge: t.exposeInt('tooLarge', {
      description: 'Number of copies that are too large for the store (TOO_LARGE); they are not made.',
    }),
    lastVerifiedAt: t.expose('lastVerifiedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the hash of one of its copies was last verified; null if none ever was.',
    }),
    verifiedSince: t.int({
      description:
        'Number of healthy copies whose hash was verified at or after a time. `copies` is the number of all healthy copies.',
      // Each time is a statement of its own, over all copies.
      extensions: { cost: { extra: 500 } },
      args: {
        time: t.arg({
          type: 'DateTime',
          required: true,
          description: 'Count copies verified at this time or later.',
        }),
      },
      resolve: ({ name }, { time }, { loaders }) => loaders.verifiedSince.load({ store: name, time }),
    }),
    neverVerified: t.int({
      description: 'Number of healthy copies whose hash was never verified.',
      extensions: { cost: { extra: 200 } },
      resolve: async ({ name }, _args, { loaders }) =>
        (await loaders.verifyCoverage.load(name)).neverVerified,
    }),
    oldestVerifiedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When the healthy copy that was verified longest ago was verified; null if no healthy copy was.',
      extensions: { cost: { extra: 200 } },
      resolve: async ({ name }, _args, { loaders }) =>
        (await loaders.verifyCoverage.load(name)).oldestVerifiedAt,
    }),
  }),
});

builder.queryField('stores', (t) =>
  t.field({
    type: [Store],
    description: 'Returns the configured stores in read order, with the state of their copies.',
    extensions: { scope: 'stores:read', cost: { ...LIST_COST, extra: 500 } },
    resolve: (_root, _args, { services }) => services.storage.health(),
  }),
);
