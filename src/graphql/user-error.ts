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

export const ErrorCode = builder.enumType('ErrorCode', {
  description: 'What went wrong, for programs. More may be added.',
  values: Object.fromEntries(
    Object.entries(ERROR_CODES).map(([code, description]) => [code, { description }]),
  ) as {
    [Code in keyof typeof ERROR_CODES]: { description: string };
  },
});

/** One type for all errors of limits, so that a document may select `unit` of several of them. */
const LimitUnit = builder.enumType('LimitUnit', {
  description: 'Unit of a limit.',
  values: {
    BYTES: { value: 'bytes', description: 'Bytes.' },
    PIXELS: { value: 'pixels', description: 'Pixels: of a side, or of the whole image.' },
    FRAMES: { value: 'frames', description: 'Frames of an animation.' },
    SECONDS: { value: 'seconds', description: 'Seconds that it takes to decode an image.' },
    IMAGES: { value: 'images', description: 'Images of a user.' },
    GENERATIONS: { value: 'generations', description: 'Generations of a user in one day, in UTC.' },
  } as const,
});

/** GraphQL takes an Error that a resolver returns for a failure of the field, so it travels in a wrapper. */
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
  description: 'Something that the caller can see, and often change. Implementations carry data to act on.',
  resolveType: ({ fault }) => TYPES.find(([type]) => fault instanceof type)?.[1] ?? 'InputError',
  fields: (t) => ({
    code: t.field({
      type: ErrorCode,
      description: 'What went wrong, for programs.',
      resolve: ({ fault }) => fault.code,
    }),
    message: t.string({
      description: 'For people: names the subject and the way out.',
      resolve: ({ fault }) => fault.message,
    }),
    path: t.stringList({
      description:
        'Where in the input the fault lies, such as `["input", "size"]`; empty when it is nowhere in it.',
      resolve: ({ fault }) => [...fault.inputPath],
    }),
  }),
});

builder.objectRef<Fault<TooLargeError>>('TooLargeError').implement({
  description: 'Bytes, pixels or frames pass a limit.',
  interfaces: [UserError],
  fields: (t) => ({
    limit: t.field({
      type: 'BigInt',
      resolve: ({ fault }) => fault.limit,
      description: 'What is allowed, in `unit`.',
    }),
    actual: t.field({
      type: 'BigInt',
      resolve: ({ fault }) => fault.actual,
      nullable: true,
      description: 'What came, where it is known.',
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
      description: 'What the content is, as far as its first bytes tell.',
    }),
    supported: t.stringList({
      description: 'The media types that are kept.',
      resolve: () => Object.keys(SUPPORTED_TYPES),
    }),
  }),
});

builder.objectRef<Fault<ProviderError>>('ProviderError').implement({
  description: 'The provider of the model declined or failed.',
  interfaces: [UserError],
  fields: (t) => ({
    provider: t.string({
      description: 'Which provider, as `Model.provider` says it.',
      resolve: ({ fault }) => fault.provider,
    }),
    retryable: t.boolean({
      description: 'Whether the same request may succeed later.',
      resolve: ({ fault }) => fault.retryable,
    }),
    retryAfterSeconds: t.float({
      description: 'For how long the provider asks to be left alone, in seconds; null where it does not say.',
      resolve: ({ fault }) => fault.retryAfterSeconds,
      nullable: true,
    }),
  }),
});

builder.objectRef<Fault<StoreError>>('StoreError').implement({
  description: 'A store that must keep the bytes could not take or give them.',
  interfaces: [UserError],
  fields: (t) => ({
    store: t.string({
      description: 'Which store, as `Store.name` says it.',
      resolve: ({ fault }) => fault.store,
    }),
  }),
});

builder.objectRef<Fault<OverloadedError>>('OverloadedError').implement({
  description: 'The server has as much to do as it can take; the same request may succeed in a moment.',
  interfaces: [UserError],
  fields: (t) => ({
    retryAfterSeconds: t.float({
      description: 'After how many seconds to try again.',
      resolve: ({ fault }) => fault.retryAfterSeconds,
    }),
  }),
});

builder.objectRef<Fault<QuotaExceededError>>('QuotaExceededError').implement({
  description: 'The user has as much as is allowed on this server.',
  interfaces: [UserError],
  fields: (t) => ({
    limit: t.field({
      type: 'BigInt',
      description: 'What is allowed, in `unit`; generations are counted by the day, in UTC.',
      resolve: ({ fault }) => fault.limit,
    }),
    used: t.field({
      type: 'BigInt',
      description: 'What the user has already, in `unit`, without what was asked for now.',
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
      description: 'When there is room again by itself; null where something has to be purged first.',
    }),
  }),
});

builder.objectRef<Fault<FixativeError>>('InputError').implement({
  description: 'The input, or what it names, is at fault; `code` and `message` say all of it.',
  interfaces: [UserError],
});
