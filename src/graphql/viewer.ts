import type { Caller } from '../auth/caller.ts';
import { builder } from './builder/builder.ts';
import { SCALAR_LIST_COST } from './builder/costs.ts';
import { Scope } from './token.ts';

const Viewer = builder.objectRef<Caller>('Viewer').implement({
  description: 'The sender of the request, as its token or session says.',
  fields: (t) => ({
    userId: t.exposeString('userId', {
      nullable: true,
      description:
        'ID of the user whose images the viewer can access; null if the viewer can act for every user.',
    }),
    defaultUserId: t.exposeString('defaultUserId', {
      description: 'ID of the user who owns what the viewer creates, unless the input names another.',
    }),
    scopes: t.field({
      type: [Scope],
      description: 'Permissions of the viewer, as they were granted. ADMIN includes all others.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ scopes }) => [...scopes],
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    description: 'Returns who sends the request, and what its token permits.',
    extensions: { scope: null },
    resolve: (_root, _args, { caller }) => caller,
  }),
);
