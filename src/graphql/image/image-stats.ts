import type { Durability } from '../../image/copies.ts';
import { findStores } from '../../image/list/durability.ts';
import { MAX_COUNTED, MAX_READ } from '../../image/list/newest-images.ts';
import {
  countStats,
  type Figures,
  MAX_DAYS,
  MAX_MODELS,
  MAX_TOOLS,
  MAX_TOOLS_A_DAY,
  MAX_USERS,
  type ImageStats as Stats,
} from '../../image/list/stats.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { selectedFields } from '../builder/selected-fields.ts';
import { conditionsOf, WHICH_IMAGES } from './image-filter.ts';

const TOTAL = 'Number of images, whatever their status.';
const FAILED = 'Number of images with the status FAILED.';
const BYTES = 'Total size in bytes. Bytes that several images share count for each of them.';

/** Cost of another pass, over the table. */
const TABLE_COST = 1000;

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

const ModelStats = builder.objectRef<Figures & { model: string | null }>('ImageModelStats').implement({
  description: 'Statistics of the images of one model.',
  fields: (t) => ({
    model: t.exposeString('model', {
      nullable: true,
      description: 'Name of the model (`Image.model`); null for images without a model, such as uploads.',
    }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

const UserStats = builder.objectRef<Figures & { userId: string }>('ImageUserStats').implement({
  description: 'Statistics of the images of one user.',
  fields: (t) => ({
    userId: t.exposeString('userId', { description: 'ID of the user (`Image.userId`).' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

const DayToolStats = builder
  .objectRef<Figures & { day: string; tool: string }>('ImageDayToolStats')
  .implement({
    description: 'Statistics of the images of one tool that were created on one day.',
    fields: (t) => ({
      day: t.exposeString('day', { description: 'Date in UTC, in ISO 8601: `2026-11-21`.' }),
      tool: t.exposeString('tool', { description: 'Name of the tool (`Image.tool`).' }),
      total: t.exposeInt('total', { description: TOTAL }),
      failed: t.exposeInt('failed', { description: FAILED }),
    }),
  });

const DurabilityStats = builder.objectRef<Stats['byDurability']>('ImageDurabilityStats').implement({
  description: 'Numbers of images by their durability (`Image.durability`). Images without bytes have none.',
  fields: (t) => {
    const count = (durability: Durability) =>
      t.int({
        description: `Number of images that are ${durability}.`,
        resolve: (counts) => counts[durability],
      });
    return {
      durable: count('DURABLE'),
      degraded: count('DEGRADED'),
      atRisk: count('AT_RISK'),
      lost: count('LOST'),
    };
  },
});

const ImageStats = builder.objectRef<Stats>('ImageStats').implement({
  description: 'Statistics of images.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: TOTAL }),
    succeeded: t.exposeInt('succeeded', { description: 'Number of images with the status SUCCESS.' }),
    failed: t.exposeInt('failed', {
      description: `${FAILED} Images that are neither \`succeeded\` nor \`failed\` are PENDING or PROCESSING.`,
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
    byModel: t.field({
      type: [ModelStats],
      description: `Statistics by model, most images first, at most ${MAX_MODELS} models.`,
      extensions: { cost: { ...LIST_COST, extra: TABLE_COST } },
      resolve: ({ byModel }) => [...byModel],
    }),
    byDurability: t.field({
      type: DurabilityStats,
      description: 'Numbers of images by durability.',
      extensions: { cost: { extra: TABLE_COST } },
      resolve: ({ byDurability }) => byDurability,
    }),
    complete: t.exposeBoolean('complete', {
      description: `Whether all images that match the filter were counted. The newest ${MAX_COUNTED.toLocaleString('en')} are counted if the filter has no conditions but user, time, tool and SUCCESS; otherwise, and for \`byModel\` and \`byDurability\`, the newest ${MAX_READ.toLocaleString('en')}. If false, narrow the filter, for example by \`createdAfter\` or \`userId\`.`,
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
      const { database, storage } = context.services;
      const stores = fields.has('byDurability')
        ? (conditions.stores ?? (await findStores({ database, stores: storage.stores })))
        : null;
      return countStats({ database }, conditions, { fields, stores });
    },
  }),
);
