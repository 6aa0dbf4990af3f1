import { bytes, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const UPLOADS = {
  title: 'Uploads',
  about: ['A file over a limit is refused before it has arrived whole.'],
  settings: {
    MAX_UPLOAD_BYTES: {
      property: 'maxUploadBytes',
      parser: bytes,
      default: '50 MiB',
      description: 'Bytes of one file.',
    },
    MAX_UPLOAD_FILES: {
      property: 'maxUploadFiles',
      parser: wholeNumber(1, 1000),
      default: '20',
      description: 'Files of one request.',
    },
    MAX_BODY_BYTES: {
      property: 'maxBodyBytes',
      parser: bytes,
      default: '4 MiB',
      description: 'Bytes of a GraphQL request without its files.',
    },
    UPLOAD_TARGET_SECONDS: {
      property: 'uploadTargetSeconds',
      parser: wholeNumber(60, 86_400),
      default: '3600',
      description: 'Seconds that the URL of an upload target accepts bytes (createUploadTarget).',
    },
  },
} as const satisfies Section;

export const DECODING = {
  title: 'Decoding of images',
  settings: {
    MAX_IMAGE_PIXELS: {
      property: 'maxImagePixels',
      parser: wholeNumber(1, 10_000_000_000),
      default: '100000000',
      description:
        'Pixels of an image, over all its frames. They are read from its header, before it is decoded.',
    },
    MAX_IMAGE_SIDE: {
      property: 'maxImageSide',
      parser: wholeNumber(1, 1_000_000),
      default: '65535',
      description: 'Pixels of the width and of the height.',
    },
    DECODES_AT_ONCE: {
      property: 'decodesAtOnce',
      parser: wholeNumber(1, 64),
      default: '2',
      description: 'Images that are decoded at the same time.',
    },
    MAX_DECODES_WAITING: {
      property: 'maxDecodesWaiting',
      parser: wholeNumber(0, 100_000),
      default: '100',
      description: 'Images that may wait to be decoded.',
    },
    DECODE_TIMEOUT_SECONDS: {
      property: 'decodeTimeoutSeconds',
      parser: wholeNumber(1, 3600),
      default: '60',
      description: 'Seconds that decoding one image may take.',
    },
  },
} as const satisfies Section;

export const QUOTAS = {
  title: 'Quotas of a user',
  settings: {
    QUOTA_BYTES: {
      property: 'quotaBytes',
      parser: bytes,
      defaultText: 'no limit',
      description: 'Bytes of the images of one user.',
    },
    QUOTA_IMAGES: {
      property: 'quotaImages',
      parser: wholeNumber(1, 1_000_000_000),
      defaultText: 'no limit',
      description: 'Images of one user.',
    },
    QUOTA_GENERATIONS_PER_DAY: {
      property: 'quotaGenerationsPerDay',
      parser: wholeNumber(1, 1_000_000_000),
      defaultText: 'no limit',
      description: 'Images that one user may generate in a day of UTC.',
    },
  },
} as const satisfies Section;
