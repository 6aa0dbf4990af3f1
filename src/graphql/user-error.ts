import {
  ERROR_CODES,
  FixativeError,
  ProviderError,
  StoreError,
  TooLargeError,
  UnsupportedTypeError,
} from '../errors.ts';
import { SUPPORTED_TYPES } from '../storage/sniff.ts';
import { builder } from './builder.ts';

export const ErrorCode = builder.enumType('ErrorCode', {
  description: 'What went wrong, for programs. More may be added.',
  values: Object.fromEntries(Object.entries(ERROR_CODES).map(([code, description]) => [code, { description }])) as {
    [Code in keyof typeof ERROR_CODES]: { description: string };
  },
});

export const UserError = builder.interfaceRef<FixativeError>('UserError').implement({
  description: 'Something that the caller can see, and often change. Implementations carry data to act on.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCode }),
    message: t.exposeString('message', { description: 'For people: names the subject and the way out.' }),
    path: t.stringList({
      description: 'Where in the input the fault lies, such as `["input", "size"]`; empty when it is nowhere in it.',
      resolve: (error) => [...error.path],
    }),
  }),
});

// GraphQL asks them in this order; the last one takes what is none of the others.
builder.objectRef<TooLargeError>('TooLargeError').implement({
  description: 'Bytes or pixels pass a limit.',
  interfaces: [UserError],
  isTypeOf: (error) => error instanceof TooLargeError,
  fields: (t) => ({
    limit: t.expose('limit', { type: 'BigInt', description: 'What is allowed, in `unit`.' }),
    actual: t.expose('actual', { type: 'BigInt', nullable: true, description: 'What came, where it is known.' }),
    unit: t.exposeString('unit', { description: '`bytes` or `pixels`.' }),
  }),
});

builder.objectRef<UnsupportedTypeError>('UnsupportedTypeError').implement({
  description: 'The content is not an image of a supported type.',
  interfaces: [UserError],
  isTypeOf: (error) => error instanceof UnsupportedTypeError,
  fields: (t) => ({
    detected: t.exposeString('detected', { description: 'What the content is, as far as its first bytes tell.' }),
    supported: t.stringList({ description: 'The media types that are kept.', resolve: () => Object.keys(SUPPORTED_TYPES) }),
  }),
});

builder.objectRef<ProviderError>('ProviderError').implement({
  description: 'The provider of the model declined or failed.',
  interfaces: [UserError],
  isTypeOf: (error) => error instanceof ProviderError,
  fields: (t) => ({
    provider: t.exposeString('provider'),
    retryable: t.exposeBoolean('retryable'),
    retryAfterSeconds: t.exposeFloat('retryAfterSeconds', { nullable: true }),
  }),
});

builder.objectRef<StoreError>('StoreError').implement({
  description: 'A store that must keep the bytes could not take or give them.',
  interfaces: [UserError],
  isTypeOf: (error) => error instanceof StoreError,
  fields: (t) => ({ store: t.exposeString('store') }),
});

builder.objectRef<FixativeError>('InputError').implement({
  description: 'The input, or what it names, is at fault; `code` and `message` say all of it.',
  interfaces: [UserError],
  isTypeOf: (error) => error instanceof FixativeError,
});
