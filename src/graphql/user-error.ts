import {
  DuplicateError,
  ERROR_CODES,
  type FixativeError,
  OverloadedError,
  ProviderError,
  QuotaExceededError,
  SourceExpiredError,
  StoreError,
  TooLargeError,
  UnsupportedTypeError,
} from '../errors.ts';
import { SUPPORTED_TYPES } from '../storage/picture/sniff.ts';
import { builder } from './builder/builder.ts';
import { SCALAR_LIST_COST } from './builder/costs.ts';

export const ErrorCode = builder.enumType('ErrorCode', {
  description: 'Error code, for programs. Codes may be added; treat an unknown one like INTERNAL.',
  values: Object.fromEntries(
    Object.entries(ERROR_CODES).map(([code, description]) => [code, { description }]),
  ) as {
    [Code in keyof typeof ERROR_CODES]: { description: string };
  },
});

/**
 * Unit of every error of a limit: a document may select `unit` of several errors only if their types agree.
 */
const LimitUnit = builder.enumType('LimitUnit', {
  description: 'Unit of a limit.',
  values: {
    BYTES: { value: 'bytes', description: 'Bytes.' },
    PIXELS: { value: 'pixels', description: 'Pixels of a side, or of the whole image.' },
    FRAMES: { value: 'frames', description: 'Frames of an animation.' },
    SECONDS: { value: 'seconds', description: 'Seconds to decode an image.' },
    IMAGES: { value: 'images', description: 'Images of one user.' },
    GENERATIONS: { value: 'generations', description: 'Generations of one user per day in UTC.' },
  } as const,
});

/** Wraps an error in a payload: GraphQL treats an Error that a resolver returns as a failure of the field. */
export interface Fault<Type extends FixativeError = FixativeError> {
  readonly fault: Type;
}

const TYPES = [
  [TooLargeError, 'TooLargeError'],
  [UnsupportedTypeError, 'UnsupportedTypeError'],
  [ProviderError, 'ProviderError'],
  [StoreError, 'StoreError'],
  [DuplicateError, 'DuplicateError'],
  [SourceExpiredError, 'SourceExpiredError'],
  [OverloadedError, 'OverloadedError'],
  [QuotaExceededError, 'QuotaExceededError'],
] as const;

export const UserError = builder.interfaceRef<Fault>('UserError').implement({
  description: 'An error that the client can see and often correct. Implementations add data to act on.',
  resolveType: ({ fault }) => TYPES.find(([type]) => fault instanceof type)?.[1] ?? 'InputError',
  fields: (t) => ({
    code: t.field({
      type: ErrorCode,
      description: 'Error code, for programs.',
      resolve: ({ fault }) => fault.code,
    }),
    message: t.string({
      description: 'Error message, for people: what happened, and what to do.',
      resolve: ({ fault }) => fault.message,
    }),
    path: t.stringList({
      description:
        'Path to the field of the input that caused the error, such as `["input", "size"]`; empty if none did.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ fault }) => [...fault.inputPath],
    }),
  }),
});

builder.objectRef<Fault<TooLargeError>>('TooLargeError').implement({
  description: 'The image exceeds a limit: its bytes, pixels, frames or decoding time.',
  interfaces: [UserError],
  fields: (t) => ({
    limit: t.field({
      type: 'BigInt',
      resolve: ({ fault }) => fault.limit,
      description: 'The limit, in `unit`.',
    }),
    actual: t.field({
      type: 'BigInt',
      resolve: ({ fault }) => fault.actual,
      nullable: true,
      description: 'The actual value, in `unit`; null if unknown.',
    }),
    unit: t.field({
      type: LimitUnit,
      resolve: ({ fault }) => fault.unit,
      description: 'Unit of `limit` and `actual`: BYTES, PIXELS, FRAMES or SECONDS.',
    }),
  }),
});

builder.objectRef<Fault<UnsupportedTypeError>>('UnsupportedTypeError').implement({
  description: 'The content is not an image of a supported type.',
  interfaces: [UserError],
  fields: (t) => ({
    detected: t.string({
      resolve: ({ fault }) => fault.detected,
      description: 'Type of the content, as its first bytes show.',
    }),
    supported: t.stringList({
      description: 'Supported media types.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: () => Object.keys(SUPPORTED_TYPES),
    }),
  }),
});

builder.objectRef<Fault<ProviderError>>('ProviderError').implement({
  description: 'The provider of the model refused the request or failed.',
  interfaces: [UserError],
  fields: (t) => ({
    provider: t.string({
      description: 'Name of the provider; the same as in `Model.provider`.',
      resolve: ({ fault }) => fault.provider,
    }),
    retryable: t.boolean({
      description: 'Whether the same request may succeed later.',
      resolve: ({ fault }) => fault.retryable,
    }),
    retryAfterSeconds: t.float({
      description: 'Seconds to wait before a retry, as the provider asks; null if it does not say.',
      resolve: ({ fault }) => fault.retryAfterSeconds,
      nullable: true,
    }),
  }),
});

builder.objectRef<Fault<StoreError>>('StoreError').implement({
  description: 'A store could not be read or written.',
  interfaces: [UserError],
  fields: (t) => ({
    store: t.string({
      description: 'Name of the store (`Store.name`).',
      resolve: ({ fault }) => fault.store,
    }),
  }),
});

builder.objectRef<Fault<OverloadedError>>('OverloadedError').implement({
  description: 'The server is overloaded. Retry the same request after `retryAfterSeconds`.',
  interfaces: [UserError],
  fields: (t) => ({
    retryAfterSeconds: t.float({
      description: 'Seconds to wait before a retry.',
      resolve: ({ fault }) => fault.retryAfterSeconds,
    }),
  }),
});

builder.objectRef<Fault<QuotaExceededError>>('QuotaExceededError').implement({
  description: 'The user has reached a quota of this server.',
  interfaces: [UserError],
  fields: (t) => ({
    limit: t.field({
      type: 'BigInt',
      description: 'The quota, in `unit`. The quota of generations is per day in UTC.',
      resolve: ({ fault }) => fault.limit,
    }),
    used: t.field({
      type: 'BigInt',
      description: 'Amount that the user had used before this request, in `unit`.',
      resolve: ({ fault }) => fault.used,
    }),
    unit: t.field({
      type: LimitUnit,
      resolve: ({ fault }) => fault.unit,
      description: 'Unit of `limit` and `used`: BYTES, IMAGES or GENERATIONS.',
    }),
    resetsAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ fault }) => fault.resetsAt,
      description: 'When the quota resets; null if images must be purged first.',
    }),
  }),
});

builder.objectRef<Fault<FixativeError>>('InputError').implement({
  description: 'An error that has no type of its own; `code` and `message` describe it.',
  interfaces: [UserError],
});
