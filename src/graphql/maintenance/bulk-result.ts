/** Results of changes of many images: of the ids of a mutation, and of the images of a run. */
import { BULK_OUTCOMES, type BulkResult } from '../../image/bulk/change.ts';
import { detailOf, errorOf } from '../../image/bulk/detail.ts';
import { orderOf } from '../../image/bulk/run.ts';

import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, requirePageSize } from '../../image/list/list.ts';
import { builder } from '../builder/builder.ts';
import { Image, ImageError } from '../image/image.ts';
import { encodeImageId } from '../image/image-id.ts';
import { mayNameImages } from './access.ts';
import { MaintenanceRun } from './run.ts';

const BulkOutcomeType = builder.enumType('BulkOutcome', {
  description: 'Outcome of a bulk change for an image; with `dryRun`, the outcome that it would have.',
  values: {
    CHANGED: { description: 'It was changed.' },
    UNCHANGED: { description: 'It was as wanted already.' },
    SKIPPED: { description: 'It was left as it is, because it did not match the filter any more.' },
    FAILED: { description: 'It was not changed; `error` says why.' },
  } as const satisfies Record<(typeof BULK_OUTCOMES)[number], object>,
});

export const BulkImageResult = builder.prismaObject('MaintenanceItem', {
  name: 'BulkImageResult',
  description: 'Result of a bulk change for one image.',
  fields: (t) => ({
    imageId: t.id({
      description: '`Image.id` of the image, also after it was purged.',
      resolve: ({ uuid }) => encodeImageId(uuid ?? ''),
    }),
    image: t.field({
      type: Image,
      nullable: true,
      description: 'The image as it is now; null if it was purged or does not exist.',
      resolve: ({ uuid }, _args, { loaders }) => (uuid === null ? null : loaders.imageByUuid.load(uuid)),
    }),
    outcome: t.field({
      type: BulkOutcomeType,
      nullable: true,
      description: 'Outcome; null: its turn has not come yet.',
      resolve: ({ outcome }) => BULK_OUTCOMES.find((each) => each === outcome) ?? null,
    }),
    error: t.field({
      type: ImageError,
      nullable: true,
      description: 'Why it FAILED; null otherwise.',
      resolve: ({ detail }) => errorOf(detail),
    }),
  }),
});

/** Returns a result in the form in which a run keeps it. */
export const resultItem = ({ id, outcome, error }: BulkResult, uuid: string) => ({
  runId: '',
  imageId: BigInt(id),
  uuid,
  reason: null,
  bytes: 0n,
  outcome,
  detail: error && detailOf(error),
});

builder.objectFields(MaintenanceRun, (t) => ({
  mutation: t.string({
    nullable: true,
    description: 'Name of the mutation that started a BULK, such as `deleteImages`; null for other kinds.',
    resolve: (run) => {
      const order = orderOf(run);
      return order && `${order.change.verb.toLowerCase()}Images`;
    },
  }),
  dryRun: t.boolean({
    description: 'Whether it is a BULK that only says what would become of each image.',
    resolve: (run) => orderOf(run)?.dryRun ?? false,
  }),
  results: t.prismaConnection(
    {
      type: BulkImageResult,
      cursor: 'runId_imageId',
      defaultSize: DEFAULT_PAGE_SIZE,
      maxSize: MAX_PAGE_SIZE,
      description:
        'Results of a BULK, in the order in which the images were created. They are kept for a week after its end. Empty for other kinds, and for images of other users than the viewer.',
      args: {
        outcome: t.arg({
          type: [BulkOutcomeType],
          description: 'Outcomes, one of which the result must have. Default: all.',
        }),
      },
      resolve: (query, run, { outcome, first, last }, { services, caller }) => {
        if (first != null) requirePageSize(first, 'first');
        if (last != null) requirePageSize(last, 'last');
        if (run.kind !== 'BULK' || !mayNameImages(caller, run)) return [];
        const where = { runId: run.id, ...(outcome ? { outcome: { in: [...outcome] } } : {}) };
        return services.database.prismaTransaction((transaction) =>
          transaction.maintenanceItem.findMany({ ...query, where, orderBy: { imageId: 'asc' } }),
        );
      },
    },
    {
      name: 'BulkResultConnection',
      description: 'A page of results (https://relay.dev/graphql/connections.htm).',
    },
    { name: 'BulkResultEdge', description: 'A result of a page, with its cursor.' },
  ),
}));
