import DataLoader from 'dataloader';
import type { Queryable } from '../../database/database.ts';
import { type ErrorCode as Code, ERROR_CODES } from '../../errors.ts';
import type { AnsweredImage } from '../../image/generation/generate.ts';
import { type Attempt, GENERATION_COLUMNS, type Generation } from '../../image/generation/generation.ts';
import { builder } from '../builder/builder.ts';
import { ErrorCode } from '../user-error.ts';
import { Image } from './image.ts';

const GenerationAttempt = builder.objectRef<Attempt>('GenerationAttempt').implement({
  description: 'One try to make an image.',
  fields: (t) => ({
    startedAt: t.field({
      type: 'DateTime',
      description: 'When it began.',
      resolve: ({ startedAt }) => new Date(startedAt),
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it ended, one way or the other; null while it is under way.',
      resolve: ({ endedAt }) => (endedAt === null ? null : new Date(endedAt)),
    }),
    code: t.field({
      type: ErrorCode,
      nullable: true,
      description: 'Why it failed; null when it succeeded or is under way.',
      resolve: ({ code }) => (code === null ? null : code in ERROR_CODES ? (code as Code) : 'INTERNAL'),
    }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'Why it failed, for people; null when it succeeded or is under way.',
    }),
    retryAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again by itself.',
      resolve: ({ retryAt }) => (retryAt === null ? null : new Date(retryAt)),
    }),
  }),
});

builder.prismaObjectFields(Image, (t) => ({
  kept: t.boolean({
    description:
      'Whether its bytes are stored. false until they are, and for ever where the server keeps nothing (SAVE_GENERATED_IMAGES=false): `url` is a data address then, answered this once.',
    resolve: ({ blobId }) => blobId !== null,
  }),
  attempts: t.field({
    type: [GenerationAttempt],
    description:
      'What was tried to make it, the first first; the last 200. Empty for images that were not generated here.',
    resolve: async ({ id }, _args, { loaders }) => [
      ...((await loaders.generationOfImage.load(Number(id)))?.attempts ?? []),
    ],
  }),
  scheduledFor: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'Of an image that is PENDING: it is not made before this time. `attempts` says when a later try is due.',
    resolve: async ({ id, status }, _args, { loaders }) =>
      status === 'pending' ? ((await loaders.generationOfImage.load(Number(id)))?.runAt ?? null) : null,
  }),
  references: t.field({
    type: [Image],
    description: 'The images that it was made from, in their order, as far as they are still there.',
    resolve: async ({ id }, _args, { loaders }) => {
      const generation = await loaders.generationOfImage.load(Number(id));
      const images = await loaders.imageByUuid.loadMany(generation?.request.references ?? []);
      return images.filter((image) => image !== null && !(image instanceof Error)) as AnsweredImage[];
    },
  }),
}));

const OF_IMAGES = `SELECT ${GENERATION_COLUMNS} FROM generations g WHERE g.image_id = ANY($1::bigint[])`;

export function makeGenerationLoader(db: Queryable): DataLoader<number, Generation | null> {
  return new DataLoader(async (ids) => {
    const rows = await db.query<Generation>(OF_IMAGES, [ids]);
    const byImage = new Map(rows.map((row) => [row.imageId, row]));
    return ids.map((id) => byImage.get(id) ?? null);
  });
}
