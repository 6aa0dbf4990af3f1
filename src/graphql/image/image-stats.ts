import { visibleFilter } from '../../auth/authorization.ts';
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
import { WHICH_IMAGES } from './image-list.ts';

const TOTAL = 'How many images there are, whatever became of them.';
const FAILED = 'How many of them have the status FAILED.';
const BYTES = 'Of the images that have bytes; what several share is counted for each.';

const ToolStats = builder.objectRef<Figures & { tool: string }>('ImageToolStats').implement({
  description: 'The images of one tool.',
  fields: (t) => ({
    tool: t.exposeString('tool', { description: 'As `Image.tool` says it.' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

const DayStats = builder.objectRef<Figures & { day: string }>('ImageDayStats').implement({
  description: 'The images that were made on one day.',
  fields: (t) => ({
    day: t.exposeString('day', { description: 'In UTC, as ISO 8601 writes it: `2026-11-21`.' }),
    total: t.exposeInt('total', { description: TOTAL }),
    failed: t.exposeInt('failed', { description: FAILED }),
    bytes: t.expose('bytes', { type: 'BigInt', description: BYTES }),
  }),
});

const ImageStats = builder.objectRef<Stats>('ImageStats').implement({
  description: 'Figures of images.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: TOTAL }),
    succeeded: t.exposeInt('succeeded', { description: 'How many of them have the status SUCCESS.' }),
    failed: t.exposeInt('failed', {
      description: 'What has neither succeeded nor failed is still to be made, or being made.',
    }),
    uniqueUsers: t.exposeInt('uniqueUsers', { description: 'How many users they belong to.' }),
    totalBytes: t.field({ type: 'BigInt', description: BYTES, resolve: ({ bytes }) => bytes }),
    averageBytes: t.exposeFloat('averageBytes', {
      nullable: true,
      description: `${BYTES} Null where none has.`,
    }),
    byTool: t.field({
      type: [ToolStats],
      description: `Those with most images first, at most ${MAX_TOOLS}.`,
      resolve: ({ byTool }) => [...byTool],
    }),
    byDay: t.field({
      type: [DayStats],
      description: `Newest first, at most ${MAX_DAYS}; days without images are left out.`,
      resolve: ({ byDay }) => [...byDay],
    }),
    complete: t.exposeBoolean('complete', {
      description: `Whether everything that the filter finds is in the figures. No more than ${MAX_COUNTED.toLocaleString('en')} images are looked at, newest first, and ${MAX_READ.toLocaleString('en')} where the filter has more than a user, a time, a tool or SUCCESS; false where there were so many. A shorter time (\`createdAfter\`) or a user makes them whole.`,
    }),
  }),
});

builder.queryField('imageStats', (t) =>
  t.field({
    type: ImageStats,
    description: 'Figures of the images that `images` would list with the same filter.',
    args: {
      filter: t.arg(WHICH_IMAGES),
    },
    resolve: (_root, { filter }, { services, caller }) => countStats(services, visibleFilter(caller, filter)),
  }),
);
