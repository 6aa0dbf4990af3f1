/** Fields of `Image` that describe its generation. */
import { type ErrorCode as Code, ERROR_CODES } from '../../errors.ts';
import type { Attempt } from '../../image/generation/generation.ts';
import type { Image as StoredImage } from '../../image/image.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { ErrorCode } from '../user-error.ts';
import { Image } from './image.ts';

const GenerationAttempt = builder.objectRef<Attempt>('GenerationAttempt').implement({
  description: 'One attempt to generate an image.',
  fields: (t) => ({
    startedAt: t.field({
      type: 'DateTime',
      description: 'When the attempt started.',
      resolve: ({ startedAt }) => new Date(startedAt),
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the attempt succeeded or failed; null while it is running.',
      resolve: ({ endedAt }) => (endedAt === null ? null : new Date(endedAt)),
    }),
    code: t.field({
      type: ErrorCode,
      nullable: true,
      description: 'Why the attempt failed, for programs; null if it succeeded or is running.',
      resolve: ({ code }) => (code === null ? null : code in ERROR_CODES ? (code as Code) : 'INTERNAL'),
    }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'Why the attempt failed, for people; null if it succeeded or is running.',
    }),
    retryAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the server will retry by itself; null if it will not.',
      resolve: ({ retryAt }) => (retryAt === null ? null : new Date(retryAt)),
    }),
  }),
});

builder.objectFields(Image, (t) => ({
  attempts: t.field({
    type: [GenerationAttempt],
    description:
      'Attempts to generate the image, oldest first; the last 200. Empty for images that this server did not generate.',
    extensions: { cost: { ...LIST_COST, extra: 10 } },
    resolve: async ({ id }, _args, { loaders }) => [
      ...((await loaders.generationOfImage.load(Number(id)))?.attempts ?? []),
    ],
  }),
  scheduledFor: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'Earliest time at which a PENDING image is generated; null for any other status. `attempts` says when a retry is due.',
    resolve: async ({ id, status }, _args, { loaders }) =>
      status === 'pending' ? ((await loaders.generationOfImage.load(Number(id)))?.runAt ?? null) : null,
  }),
  references: t.field({
    type: [Image],
    description:
      'Images that this one was generated from, in the order of the request. Purged images are left out.',
    extensions: { scope: 'images:read', cost: LIST_COST },
    resolve: async ({ id }, _args, { loaders }) => {
      const generation = await loaders.generationOfImage.load(Number(id));
      const images = await loaders.imageByUuid.loadMany(generation?.request.references ?? []);
      return images.filter((image): image is StoredImage => image !== null && !(image instanceof Error));
    },
  }),
}));
