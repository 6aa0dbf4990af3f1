/** Fields of `ImageStats` that read more than an index. */
import { ERROR_CODES, type ErrorCode } from '../../errors.ts';
import { MAX_MODELS, MAX_VALUES, type TableStats } from '../../image/list/table-stats.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import {
  Durations,
  ErrorCodeStats,
  HourStats,
  ImageDurabilityStats,
  ModelStats,
  ProviderStats,
  SpendStats,
  StoreStats,
  TABLE_COST,
  VisibilityStats,
} from './groups.ts';
import { ImageStats } from './image-stats.ts';

builder.objectFields(ImageStats, (t) => ({
  byModel: t.field({
    type: [ModelStats],
    description: `Statistics by model, most images first, at most ${MAX_MODELS} models.`,
    extensions: { cost: { ...LIST_COST, extra: TABLE_COST } },
    resolve: ({ byModel }) => [...byModel],
  }),
  byProvider: t.field({
    type: [ProviderStats],
    description: `Statistics by provider, most images first, at most ${MAX_VALUES} providers.`,
    extensions: { cost: { ...LIST_COST, extra: TABLE_COST } },
    resolve: ({ byProvider }) => [...byProvider],
  }),
  byVisibility: t.field({
    type: [VisibilityStats],
    description: 'Statistics by visibility, most images first.',
    extensions: { cost: { length: 2, extra: TABLE_COST } },
    resolve: ({ byVisibility }) => [...byVisibility],
  }),
  byErrorCode: t.field({
    type: [ErrorCodeStats],
    description: 'Numbers of images with the status FAILED by error code, most images first.',
    extensions: { cost: { ...LIST_COST, extra: TABLE_COST } },
    resolve: ({ byErrorCode }) => countByCode(byErrorCode),
  }),
  byStore: t.field({
    type: [StoreStats],
    description:
      'Statistics of the images that have a healthy copy in a store, by store. An image counts in each store that has one.',
    extensions: { cost: { ...LIST_COST, extra: TABLE_COST } },
    resolve: ({ byStore }) => [...byStore],
  }),
  byHour: t.field({
    type: [HourStats],
    description:
      'Statistics by the hour of the day at which the images were created, in UTC. Hours without images are left out.',
    extensions: { cost: { length: 24, extra: TABLE_COST } },
    resolve: ({ byHour }) => [...byHour],
  }),
  byDurability: t.field({
    type: ImageDurabilityStats,
    description: 'Numbers of images by durability.',
    extensions: { cost: { extra: TABLE_COST } },
    resolve: ({ byDurability }) => byDurability,
  }),
}));

builder.objectFields(ImageStats, (t) => ({
  generationSeconds: t.field({
    type: Durations,
    nullable: true,
    description:
      'Seconds that the generation of an image took: its attempt that succeeded, from its start until the bytes were stored; null if no image was generated here.',
    extensions: { cost: { extra: TABLE_COST } },
    resolve: (stats) => stats.generationSeconds,
  }),
  queueSeconds: t.field({
    type: Durations,
    nullable: true,
    description:
      'Seconds that an image waited before its provider was called, since that call was due; null if no provider was called.',
    extensions: { cost: { extra: TABLE_COST } },
    resolve: (stats) => stats.queueSeconds,
  }),
  spend: t.field({
    type: SpendStats,
    description: 'Costs of the responses of providers.',
    extensions: { cost: { extra: TABLE_COST } },
    resolve: ({ spend }) => spend,
  }),
}));

/** Sums up by the codes of the schema: other services record codes of their own. */
function countByCode(rows: TableStats['byErrorCode']): { code: ErrorCode; total: number }[] {
  const totals = new Map<ErrorCode, number>();
  for (const { errorCode, total } of rows) {
    const code =
      errorCode !== null && Object.hasOwn(ERROR_CODES, errorCode) ? (errorCode as ErrorCode) : 'INTERNAL';
    totals.set(code, (totals.get(code) ?? 0) + total);
  }
  return [...totals].map(([code, total]) => ({ code, total })).toSorted((a, b) => b.total - a.total);
}
