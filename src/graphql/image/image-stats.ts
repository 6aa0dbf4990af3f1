import {
  countStats,
  type Figures,
  MAX_COUNTED,
  MAX_DAYS,
  MAX_READ,
  MAX_TOOLS,
  type ImageStats as Stats,
} from '../../image/list/stats.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { conditionsOf, WHICH_IMAGES } from './image-filter.ts';

const TOTAL = 'Number of images, whatever their status.';
const FAILED = 'Number of images with the status FAILED.';
const BYTES = 'Total size in bytes. Bytes that several images share count for each of them.';

const ToolStats = builder.objectRef<Figures & { tool: string }>('ImageToolStats').implement({
  description: 'Statistics of the images of one tool.',
  fields: (t) => ({
    tool: t.exposeString('tool', { description: 'Name of the tool (`Image.tool`).' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

const DayStats = builder.objectRef<Figures & { day: string }>('ImageDayStats').implement({
  description: 'Statistics of the images that were created on one day.',
  fields: (t) => ({
    day: t.exposeString('day', { description: 'Date in UTC, in ISO 8601: `2026-11-21`.' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

const ImageStats = builder.objectRef<Stats>('ImageStats').implement({
  description: 'Statistics of images.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: TOTAL }),
    succeeded: t.exposeInt('succeeded', { description: 'Number of images with the status SUCCESS.' }),
    failed: t.exposeInt('failed', {
      description: `${FAILED} Images that are neither \`succeeded\` nor \`failed\` are PENDING or PROCESSING.`,
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
    complete: t.exposeBoolean('complete', {
      description: `Whether all images that match the filter were counted. The newest ${MAX_COUNTED.toLocaleString('en')} are counted if the filter has no conditions but user, time, tool and SUCCESS; otherwise the newest ${MAX_READ.toLocaleString('en')}. If false, narrow the filter, for example by \`createdAfter\` or \`userId\`.`,
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
    resolve: async (_root, { filter }, context) =>
      countStats(context.services, await conditionsOf(context, filter)),
  }),
);
