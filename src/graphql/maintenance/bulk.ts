/** Mutations of many images: of up to 250 ids at once, or of all that a filter selects, by a run. */
import { visibleFilter, visibleTo } from '../../auth/authorization.ts';
import { InputError } from '../../errors.ts';
import { type BulkChange, changeImages, MAX_IDS } from '../../image/bulk/change.ts';
import { requireChange, startBulk } from '../../image/bulk/run.ts';
import { findImages } from '../../image/image.ts';
import type { ImageFilter as Conditions } from '../../image/list/conditions.ts';
import type { MaintenanceRun as Run } from '../../image/maintenance/run.ts';
import type { InputFields } from '../builder/builder.ts';
import type { GraphqlContext } from '../context.ts';
import { WHICH_IMAGES } from '../image/image-filter.ts';
import { imageNotFound, parseImageId } from '../image/image-id.ts';
import { mutation, type PayloadOptions } from '../mutations/mutation.ts';
import { changeFields } from '../mutations/update-image.ts';
import { BulkImageResult, resultItem } from './bulk-result.ts';
import { MaintenanceRun } from './run.ts';

interface BulkPayload {
  readonly results: readonly ReturnType<typeof resultItem>[];
  readonly run: Run | null;
}

const EMPTY: BulkPayload = { results: [], run: null };

const payload = (name: string): PayloadOptions<BulkPayload> => ({
  description: `Payload of \`${name}\`.`,
  empty: EMPTY,
  fields: (t) => ({
    results: t.field({
      type: [BulkImageResult],
      description:
        'A result for each of `ids`, in their order. Empty for a `filter`: `MaintenanceRun.results` has them.',
      extensions: { cost: { length: MAX_IDS } },
      resolve: ({ results }) => [...results],
    }),
    run: t.expose('run', {
      type: MaintenanceRun,
      nullable: true,
      description: 'Run that changes the images of `filter`, of the kind BULK; null for `ids`.',
    }),
  }),
});

const which = (t: InputFields) => ({
  ids: t.idList({
    description: `IDs of the images (\`Image.id\` or \`Image.uuid\`), 1 to ${MAX_IDS}. INVALID_ID for anything else; an ID of no image FAILED. Send either \`ids\` or \`filter\`.`,
  }),
  filter: t.field({
    ...WHICH_IMAGES,
    description:
      'Which images, as in `images`. A run changes them, up to 1,000,000: follow it by `node(id)`. It leaves images alone that do not match any more when their turn comes.',
  }),
  dryRun: t.boolean({
    defaultValue: false,
    description: 'Whether to say only what would become of each image, and to change nothing.',
  }),
});

interface Which {
  readonly ids?: readonly (string | number)[] | null | undefined;
  readonly filter?: Conditions | null | undefined;
  readonly dryRun?: boolean | null | undefined;
}

const HOW = `Changes up to ${MAX_IDS} images at once, or starts a run for all images of a filter.`;

async function changeMany(context: GraphqlContext, change: BulkChange, input: Which): Promise<BulkPayload> {
  const { services, caller } = context;
  const { ids, filter } = input;
  const dryRun = input.dryRun ?? false;
  if ((ids == null) === (filter == null))
    throw new InputError('INVALID_INPUT', 'Send either ids or filter.', { path: ['input'] });
  if (filter != null) {
    const asked = { filter: visibleFilter(caller, filter), visibleTo: visibleTo(caller), actor: caller };
    const run = await startBulk(services, { ...asked, change, dryRun }, services.maintenanceQueue.push);
    return { ...EMPTY, run };
  }
  requireChange(services, change);
  return { ...EMPTY, results: await changeIds(context, change, (ids ?? []).map(String), dryRun) };
}

async function changeIds(
  { services, caller }: GraphqlContext,
  change: BulkChange,
  ids: readonly string[],
  dryRun: boolean,
): Promise<BulkPayload['results']> {
  const path = ['input', 'ids'];
  if (ids.length < 1 || ids.length > MAX_IDS) {
    const message = `ids has ${ids.length} entries; 1 to ${MAX_IDS} are allowed. Send more in another request, or a filter.`;
    throw new InputError('INVALID_INPUT', message, { path });
  }
  const uuids = ids.map((id) => parseImageId(id, path));
  const images = await findImages(services.database, uuids, visibleTo(caller));
  const found = images.flatMap((image) => (image ? [Number(image.id)] : []));
  const results = (await changeImages(services, change, found, { dryRun })).values();
  return images.map((image, index) => {
    const uuid = uuids[index] ?? '';
    const missing = { id: 0, outcome: 'FAILED', error: imageNotFound(uuid) } as const;
    return resultItem(image ? (results.next().value ?? missing) : missing, uuid);
  });
}

mutation({
  name: 'updateImages',
  scope: 'images:write',
  description: `${HOW} Each gets the same changes, as by \`updateImage\`.`,
  input: {
    description: 'Changes to images. Fields that are left out keep their values.',
    fields: (t) => ({ ...which(t), ...changeFields(t) }),
  },
  payload: payload('updateImages'),
  resolve: ({ ids, filter, dryRun, ...changes }, context) =>
    changeMany(context, { verb: 'UPDATE', changes }, { ids, filter, dryRun }),
});

mutation({
  name: 'deleteImages',
  scope: 'images:write',
  description: `${HOW} Each is moved to the trash, as by \`deleteImage\`.`,
  input: { description: 'The images to move to the trash.', fields: which },
  payload: payload('deleteImages'),
  resolve: (input, context) => changeMany(context, { verb: 'DELETE' }, input),
});

mutation({
  name: 'undeleteImages',
  scope: 'images:write',
  description: `${HOW} Each is taken out of the trash, as by \`undeleteImage\`. A filter needs \`trash: ONLY\`.`,
  input: { description: 'The images to take out of the trash.', fields: which },
  payload: payload('undeleteImages'),
  resolve: (input, context) => changeMany(context, { verb: 'UNDELETE' }, input),
});

mutation({
  name: 'purgeImages',
  scope: 'images:write',
  description: `${HOW} Each is deleted permanently, as by \`purgeImage\`, in the trash or not. INVALID_INPUT for a filter without a condition; \`trash: ONLY\` empties the trash.`,
  input: { description: 'The images to delete permanently.', fields: which },
  payload: payload('purgeImages'),
  resolve: (input, context) => changeMany(context, { verb: 'PURGE' }, input),
});

mutation({
  name: 'restoreImages',
  scope: 'images:write',
  description: `${HOW} Every copy of each is read, and replaced if it is missing or damaged, as by \`restoreImage\`.`,
  input: {
    description: 'The images to restore, and in which stores.',
    fields: (t) => ({
      ...which(t),
      stores: t.stringList({ description: 'Names of the stores to restore. Default: all stores.' }),
    }),
  },
  payload: payload('restoreImages'),
  resolve: ({ stores, ...input }, context) =>
    changeMany(context, { verb: 'RESTORE', stores: stores ?? null }, input),
});
