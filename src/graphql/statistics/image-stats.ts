import { findStores } from '../../image/list/durability.ts';
import { MAX_COUNTED, MAX_READ } from '../../image/list/newest-images.ts';
import {
  countStats,
  MAX_DAYS,
  MAX_TOOLS,
  MAX_TOOLS_A_DAY,
  MAX_USERS,
  type ImageStats as Stats,
} from '../../image/list/stats.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { selectedFields } from '../builder/selected-fields.ts';
import { conditionsOf, WHICH_IMAGES } from '../image/image-filter.ts';
import { BYTES, DayStats, DayToolStats, FAILED, TOTAL, ToolStats, UserStats } from './groups.ts';

export const ImageStats = builder.objectRef<Stats>('ImageStats').implement({
  description: 'Statistics of images.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: TOTAL }),
    succeeded: t.exposeInt('succeeded', { description: 'Number of images with the status SUCCESS.' }),
    failed: t.exposeInt('failed', {
      description: `${FAILED} Images that are neither \`succeeded\` nor \`failed\` are PENDING or PROCESSING.`,
    }),
    successRate: t.float({
      nullable: true,
      description:
        'Share of the images with the status SUCCESS among those that are SUCCESS or FAILED, 0 to 1; null if there are none.',
      resolve: ({ succeeded, failed }) =>
        succeeded + failed === 0 ? null : succeeded / (succeeded + failed),
    }),
    pending: t.exposeInt('pending', { description: 'Number of images with the status PENDING.' }),
    processing: t.exposeInt('processing', {
      description: 'Number of images with the status PROCESSING.',
    }),
    oldestPendingAt: t.expose('oldestPendingAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the oldest image with the status PENDING was created; null if none is pending.',
    }),
    uniqueUsers: t.exposeInt('uniqueUsers', { description: 'Number of users who own the images.' }),
    totalBytes: t.field({ type: 'BigInt', description: BYTES, resolve: ({ bytes }) => bytes }),
    averageBytes: t.exposeFloat('averageBytes', {
      nullable: true,
      description: 'Mean size in bytes of the images that have bytes; null if none has.',
    }),
    byTool: t.field({
      type: [ToolStats],
      description: `Statistics by tool, most images first, at most ${MAX_TOOLS} tools.`,
      extensions: { cost: LIST_COST },
      resolve: ({ byTool }) => [...byTool],
    }),
    byDay: t.field({
      type: [DayStats],
      description: `Statistics by day, newest first, at most ${MAX_DAYS} days. Days without images are left out.`,
      extensions: { cost: LIST_COST },
      resolve: ({ byDay }) => [...byDay],
    }),
    byDayAndTool: t.field({
      type: [DayToolStats],
      description: `Statistics by day and tool, newest day first, at most ${MAX_DAYS} days and the ${MAX_TOOLS_A_DAY} tools with the most images. Pairs without images are left out.`,
      extensions: { cost: { length: MAX_DAYS } },
      resolve: ({ byDayAndTool }) => [...byDayAndTool],
    }),
    byUser: t.field({
      type: [UserStats],
      description: `Statistics by user, most images first, at most ${MAX_USERS} users.`,
      extensions: { cost: LIST_COST },
      resolve: ({ byUser }) => [...byUser],
    }),
    complete: t.exposeBoolean('complete', {
      description: `Whether all images that match the filter were counted. The newest ${MAX_COUNTED.toLocaleString('en')} are counted if the filter has no conditions but user, time, tool and SUCCESS; otherwise, and for the fields that read more than the index (\`byModel\`, \`byProvider\`, \`byVisibility\`, \`byErrorCode\`, \`byStore\`, \`byHour\`, \`byDurability\`, \`generationSeconds\`, \`queueSeconds\`, \`spend\`), the newest ${MAX_READ.toLocaleString('en')}. If false, narrow the filter, for example by \`createdAfter\` or \`userId\`.`,
    }),
  }),
});

builder.queryField('imageStats', (t) =>
  t.field({
    type: ImageStats,
    description: 'Returns statistics of the images that `images` lists with the same filter.',
    extensions: { scope: 'images:read', cost: { extra: 2000 } },
    args: {
      filter: t.arg(WHICH_IMAGES),
    },
    resolve: async (_root, { filter }, context, info) => {
      const conditions = await conditionsOf(context, filter);
      const fields = selectedFields(info);
      const { storage } = context.services;
      const database = await context.services.reads();
      const stores = fields.has('byDurability')
        ? (conditions.stores ?? (await findStores({ database, stores: storage.stores })))
        : null;
      return countStats({ database }, conditions, { fields, stores });
    },
  }),
);
