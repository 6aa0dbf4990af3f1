import { z } from 'zod';
import { bytes, bytesOrOff, list, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const VARIANTS = {
  title: 'Variants of images',
  about: ['A variant is an image in another size or format (?w=, ?h=, …); docs/variants.md describes them.'],
  settings: {
    VARIANT_SIZES: {
      property: 'variantSizes',
      parser: list
        .refine(
          (entries) =>
            entries.length > 0 &&
            entries.every((entry) => /^[1-9]\d{0,3}$/.test(entry) && Number(entry) <= 4096),
          'whole numbers from 1 to 4096, separated by commas',
        )
        .transform((entries) => [...new Set(entries.map(Number))].sort((a, b) => a - b))
        .describe('A list, separated by commas, of numbers from 1 to 4096'),
      default: '64,128,256,320,480,640,800,1024,1280,1600,2048',
      description: 'Widths and heights, in pixels, that need no signed URL.',
    },
    VARIANT_CACHE_BYTES: {
      property: 'variantCacheBytes',
      parser: bytes,
      default: '1 GiB',
      description: 'Bytes of variants to keep in DATA_DIR/variants.',
    },
    VARIANT_CONCURRENCY: {
      property: 'variantConcurrency',
      parser: wholeNumber(1, 64),
      default: '2',
      description: 'Variants that are made at the same time. One may use about 400 MiB of memory.',
    },
    VARIANT_QUEUE: {
      property: 'variantQueue',
      parser: wholeNumber(0, 10_000),
      default: '64',
      description: 'Variants that may wait to be made. Further requests get status 503.',
    },
  },
} as const satisfies Section;

export const DELIVERY = {
  title: 'Delivery and caches',
  settings: {
    DELIVERY: {
      property: 'delivery',
      parser: z
        .enum(['direct', 'x-accel', 'redirect'], 'direct, x-accel or redirect')
        .describe('One of direct, x-accel, redirect'),
      default: 'direct',
      description:
        'What sends the bytes of originals (docs/delivery.md): this process (direct), the nginx in front of it (x-accel), or the CDN, S3 or GitHub (redirect).',
    },
    X_ACCEL_PREFIX: {
      property: 'xAccelPrefix',
      parser: z
        .string()
        .regex(
          /^(\/[A-Za-z0-9._-]+)+\/$/,
          'a path that begins and ends with a slash, such as /_fixative_files/',
        )
        .describe('A path that begins and ends with a slash'),
      default: '/_fixative_files/',
      description:
        'Internal location of nginx that serves the directory of the store filesystem, for DELIVERY=x-accel.',
    },
    IMAGE_CACHE_ENTRIES: {
      property: 'imageCacheEntries',
      parser: wholeNumber(0, 1_000_000),
      default: '10000',
      description: 'Public images whose database rows are cached, so that their bytes need no statement.',
    },
    BYTES_CACHE_BYTES: {
      property: 'bytesCacheBytes',
      parser: bytesOrOff,
      default: '128 MiB',
      description: 'Memory for the bytes of images that clients ask for often.',
    },
    BYTES_CACHE_OBJECT_BYTES: {
      property: 'bytesCacheObjectBytes',
      parser: bytes,
      default: '2 MiB',
      description: 'Most bytes of one image in that cache.',
    },
    MAX_OPEN_FILES: {
      property: 'maxOpenFiles',
      parser: wholeNumber(0, 100_000),
      default: '512',
      description: 'Files of the store filesystem that are kept open.',
    },
  },
} as const satisfies Section;
