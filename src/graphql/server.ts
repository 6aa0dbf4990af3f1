import { builder } from './builder/builder.ts';
import { SCALAR_LIST_COST } from './builder/costs.ts';
import type { ServerFacts } from './context.ts';
import { Visibility } from './image/image.ts';

const Server = builder.objectRef<ServerFacts>('Server').implement({
  description: 'Version and settings of the server, as far as clients need them.',
  fields: (t) => ({
    version: t.exposeString('version', { description: 'Version of Fixative, such as `1.2.3`.' }),
    publicUrl: t.exposeString('publicUrl', {
      nullable: true,
      description:
        'URL under which clients reach the server, without a trailing slash (PUBLIC_URL); null if it is not set.',
    }),
    maxUploadBytes: t.expose('maxUploadBytes', {
      type: 'BigInt',
      description: 'Maximum size of an uploaded or imported file in bytes (MAX_UPLOAD_BYTES).',
    }),
    trashDays: t.exposeInt('trashDays', {
      description: 'Days that a deleted image stays in the trash before it is purged (TRASH_DAYS).',
    }),
    defaultVisibility: t.expose('defaultVisibility', {
      type: Visibility,
      description: 'Visibility of a new image whose input names none (DEFAULT_VISIBILITY).',
    }),
    maxSignedUrlSeconds: t.exposeInt('maxSignedUrlSeconds', {
      description: 'Maximum seconds that a signed URL is valid (SIGNED_URL_MAX_SECONDS).',
    }),
    variantWidths: t.intList({
      description:
        'Widths in pixels, in ascending order, that `w` may have in the URL of a public image without a signature (VARIANT_SIZES). The height follows from the proportions.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ variantWidths }) => [...variantWidths],
    }),
    graphiql: t.exposeBoolean('graphiql', {
      description: 'Whether browsers get GraphiQL at `/graphql` (GRAPHIQL).',
    }),
  }),
});

builder.queryField('server', (t) =>
  t.field({
    type: Server,
    description: 'Returns the version of the server, and its settings that clients need.',
    extensions: { scope: null },
    resolve: (_root, _args, { services }) => services.facts,
  }),
);
