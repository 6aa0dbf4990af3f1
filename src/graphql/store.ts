import type { StoreHealth } from '../storage/service.ts';
import { builder } from './builder/builder.ts';

const Store = builder.objectRef<StoreHealth>('Store').implement({
  description: 'A place that holds copies.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'As STORES calls it.' }),
    kind: t.exposeString('kind', { description: '`filesystem`, `database`, …' }),
    reachable: t.exposeBoolean('reachable', { description: 'Whether it answered just now.' }),
    copies: t.exposeInt('copies', { description: 'Healthy copies on record.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Their bytes.' }),
    missing: t.exposeInt('missing', {
      description: 'Copies on record that it was asked for and does not have (MISSING).',
    }),
    corrupt: t.exposeInt('corrupt', {
      description: 'Copies on record of the wrong length or hash (CORRUPT).',
    }),
    pending: t.exposeInt('pending', { description: 'Copies that it is to have and has not yet (PENDING).' }),
    tooLarge: t.exposeInt('tooLarge', {
      description: 'Copies that it does not take for their size (TOO_LARGE); they are not tried.',
    }),
    lastVerifiedAt: t.expose('lastVerifiedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the hash of one of its copies was last proven; null where none ever was.',
    }),
  }),
});

builder.queryField('stores', (t) =>
  t.field({
    type: [Store],
    description: 'The configured stores, in read order, and what is known of their copies.',
    resolve: (_root, _args, { services }) => services.storage.health(),
  }),
);
