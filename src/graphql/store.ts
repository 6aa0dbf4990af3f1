import type { StoreHealth } from '../storage/service.ts';
import { builder } from './builder.ts';

const Store = builder.objectRef<StoreHealth>('Store').implement({
  description: 'A place that holds copies.',
  fields: (t) => ({
    name: t.exposeString('name'),
    kind: t.exposeString('kind', { description: '`filesystem`, `database`, …' }),
    reachable: t.exposeBoolean('reachable', { description: 'Whether it answered just now.' }),
    copies: t.exposeInt('copies', { description: 'Healthy copies on record.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Their bytes.' }),
    missing: t.exposeInt('missing'),
    corrupt: t.exposeInt('corrupt'),
    pending: t.exposeInt('pending'),
    lastVerifiedAt: t.expose('lastVerifiedAt', { type: 'DateTime', nullable: true }),
  }),
});

builder.queryField('stores', (t) =>
  t.field({
    type: [Store],
    description: 'The configured stores, in read order, and what is known of their copies.',
    resolve: (_root, _args, { services }) => services.storage.health(),
  }),
);
