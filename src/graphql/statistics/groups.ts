/** Types of the groups of `imageStats`. */

import type { ErrorCode as Code } from '../../errors.ts';
import type { Durability } from '../../image/copies.ts';
import type { DayFigures, ImageStats } from '../../image/list/stats.ts';
import {
  type Durations as DurationsShape,
  type Figures,
  MAX_VALUES,
  type Spend,
} from '../../image/list/table-stats.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { Visibility } from '../image/image.ts';
import { ErrorCode } from '../user-error.ts';

export const TOTAL = 'Number of images, whatever their status.';
export const FAILED = 'Number of images with the status FAILED.';
export const BYTES = 'Total size in bytes. Bytes that several images share count for each of them.';

/** Cost of another pass, over the table. */
export const TABLE_COST = 1000;

export const ToolStats = builder.objectRef<Figures & { tool: string }>('ImageToolStats').implement({
  description: 'Statistics of the images of one tool.',
  fields: (t) => ({
    tool: t.exposeString('tool', { description: 'Name of the tool (`Image.tool`).' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

export const DayStats = builder.objectRef<DayFigures>('ImageDayStats').implement({
  description: 'Statistics of the images that were created on one day.',
  fields: (t) => ({
    day: t.exposeString('day', { description: 'Date in UTC, in ISO 8601: `2026-11-21`.' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
    cumulativeTotal: t.exposeInt('cumulativeTotal', {
      description: 'Number of images that were created by the end of the day, among those that were counted.',
    }),
    cumulativeBytes: t.expose('cumulativeBytes', {
      type: 'BigInt',
      description:
        'Total size in bytes of the images that were created by the end of the day, among those that were counted.',
    }),
  }),
});

export const ModelStats = builder.objectRef<Figures & { model: string | null }>('ImageModelStats').implement({
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

export const UserStats = builder.objectRef<Figures & { userId: string }>('ImageUserStats').implement({
  description: 'Statistics of the images of one user.',
  fields: (t) => ({
    userId: t.exposeString('userId', { description: 'ID of the user (`Image.userId`).' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

export const DayToolStats = builder
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

export const ImageDurabilityStats = builder
  .objectRef<ImageStats['byDurability']>('ImageDurabilityStats')
  .implement({
    description:
      'Numbers of images by their durability (`Image.durability`). Images without bytes have none.',
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

export const ProviderStats = builder
  .objectRef<Figures & { provider: string | null }>('ImageProviderStats')
  .implement({
    description: 'Statistics of the images of one provider.',
    fields: (t) => ({
      provider: t.exposeString('provider', {
        nullable: true,
        description: 'Name of the provider (`Image.provider`); null for images without one, such as uploads.',
      }),
      total: t.exposeInt('total', { description: TOTAL }),
      failed: t.exposeInt('failed', { description: FAILED }),
      bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
    }),
  });

export const VisibilityStats = builder
  .objectRef<Figures & { visibility: 'public' | 'private' }>('ImageVisibilityStats')
  .implement({
    description: 'Statistics of the images of one visibility.',
    fields: (t) => ({
      visibility: t.expose('visibility', { type: Visibility, description: 'Visibility of the images.' }),
      total: t.exposeInt('total', { description: TOTAL }),
      failed: t.exposeInt('failed', { description: FAILED }),
      bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
    }),
  });

export const HourStats = builder.objectRef<Figures & { hour: number }>('ImageHourStats').implement({
  description: 'Statistics of the images that were created in one hour of the day.',
  fields: (t) => ({
    hour: t.exposeInt('hour', { description: 'Hour of the day in UTC, 0 to 23.' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

export const StoreStats = builder
  .objectRef<{ store: string; total: number; bytes: number }>('ImageStoreStats')
  .implement({
    description: 'Statistics of the images that have a healthy copy in one store.',
    fields: (t) => ({
      store: t.exposeString('store', { description: 'Name of the store (`Store.name`).' }),
      total: t.exposeInt('total', { description: TOTAL }),
      bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
    }),
  });

export const ErrorCodeStats = builder
  .objectRef<{ code: Code; total: number }>('ImageErrorCodeStats')
  .implement({
    description: 'Number of images that failed for one reason.',
    fields: (t) => ({
      code: t.expose('code', { type: ErrorCode, description: 'Error code (`ImageError.code`).' }),
      total: t.exposeInt('total', { description: TOTAL }),
    }),
  });

export const Durations = builder.objectRef<DurationsShape>('ImageDurations').implement({
  description: 'Distribution of a duration over images, in seconds. Percentiles are interpolated.',
  fields: (t) => ({
    images: t.exposeInt('images', { description: 'Number of images whose duration is known.' }),
    mean: t.exposeFloat('mean', { description: 'Mean.' }),
    median: t.exposeFloat('median', { description: '50th percentile.' }),
    p90: t.exposeFloat('p90', { description: '90th percentile.' }),
    p95: t.exposeFloat('p95', { description: '95th percentile.' }),
    p99: t.exposeFloat('p99', { description: '99th percentile.' }),
    longest: t.exposeFloat('longest', { description: 'Longest duration.' }),
  }),
});

const USD =
  'Sum of the known costs of the last response for each image, in US dollars; null if none is known. A cost is known if the provider reports it, or publishes a price for each picture. It is never estimated.';
const PRICED = 'Number of images whose cost is known.';
const UNPRICED = 'Number of images that a provider made at a cost that is not known.';

const ModelSpend = builder.objectRef<Spend & { model: string | null }>('ImageModelSpend').implement({
  description: 'Costs of the images of one model.',
  fields: (t) => ({
    model: t.exposeString('model', { nullable: true, description: 'Name of the model (`Image.model`).' }),
    usd: t.exposeFloat('usd', { nullable: true, description: USD }),
    images: t.exposeInt('images', { description: PRICED }),
    unknown: t.exposeInt('unknown', { description: UNPRICED }),
  }),
});

export const SpendStats = builder.objectRef<ImageStats['spend']>('ImageSpendStats').implement({
  description:
    'Costs of the images. Parts of an image, such as the panels of a comic, count only if the filter has `parts: true`.',
  fields: (t) => ({
    usd: t.exposeFloat('usd', { nullable: true, description: USD }),
    images: t.exposeInt('images', { description: PRICED }),
    unknown: t.exposeInt('unknown', { description: UNPRICED }),
    byModel: t.field({
      type: [ModelSpend],
      description: `Spend by model, highest first, at most ${MAX_VALUES} models.`,
      extensions: { cost: LIST_COST },
      resolve: ({ byModel }) => [...byModel],
    }),
  }),
});
