import { ownerFor, visibleTo } from '../auth/authorization.ts';
import { completeUpload } from '../image/complete-upload.ts';
import { createUploadTarget, type OpenedTarget } from '../image/upload-target.ts';
import { builder } from './builder.ts';
import { pictureFields } from './image-input.ts';
import { answer, type ImagePayload, imagePayload, type Payload } from './payload.ts';
import { UserError } from './user-error.ts';

const UploadHeader = builder.objectRef<{ name: string; value: string }>('UploadHeader').implement({
  fields: (t) => ({ name: t.exposeString('name'), value: t.exposeString('value') }),
});

const UploadTarget = builder.objectRef<OpenedTarget>('UploadTarget').implement({
  description:
    'Where the bytes of one image are to be sent: a request of `method` to `url` with `headers`, whose body is exactly the bytes that were announced. It needs no token.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'What `completeUpload` takes.' }),
    url: t.exposeString('url', {
      description: 'Whoever has it may send; keep it from others, and from logs.',
    }),
    method: t.string({ resolve: () => 'PUT' }),
    headers: t.field({
      type: [UploadHeader],
      description:
        'All of them have to be sent, as they are; Content-Length, as every client sends it by itself, is `bytes`.',
      resolve: ({ headers }) => Object.entries(headers).map(([name, value]) => ({ name, value })),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description:
        'Until when `url` takes bytes. What arrived in time can be completed for a quarter of an hour more.',
    }),
  }),
});

const CreateUploadTargetInput = builder.inputType('CreateUploadTargetInput', {
  fields: (t) => ({
    filename: t.string({ required: true, description: 'The name to offer it under.' }),
    mimeType: t.string({
      required: true,
      description:
        '`image/png`, `image/jpeg`, `image/webp`, `image/gif` or `image/avif`; the content must be of it.',
    }),
    bytes: t.field({ type: 'BigInt', required: true, description: 'Exactly how many will be sent.' }),
    sha256: t.string({
      description:
        'Of the bytes, in 64 hexadecimal digits. With it other bytes are refused, where they arrive or when they are completed.',
    }),
    prefix: t.string({
      description: 'The name begins with it, and `metadata.prefix` is it; up to 100 characters.',
    }),
    itemId: t.string({
      description: 'Follows the prefix in the name, and `metadata.itemId` is it; up to 100 characters.',
    }),
    ...pictureFields(t, 'uploadImage'),
  }),
});

interface UploadTargetPayload extends Payload {
  readonly target: OpenedTarget | null;
}

const CreateUploadTargetPayload = builder
  .objectRef<UploadTargetPayload>('CreateUploadTargetPayload')
  .implement({
    fields: (t) => ({
      target: t.expose('target', { type: UploadTarget, nullable: true }),
      userErrors: t.expose('userErrors', { type: [UserError] }),
    }),
  });

builder.mutationField('createUploadTarget', (t) =>
  t.field({
    type: CreateUploadTargetPayload,
    description:
      'Gives an address to send the bytes of one image to, past GraphQL: at S3 where it is a store, else at this server. All that is announced is checked before, and proven by `completeUpload`.',
    args: { input: t.arg({ type: CreateUploadTargetInput, required: true }) },
    resolve: (_root, { input }, { services, caller }) =>
      answer<UploadTargetPayload>({ target: null }, async () => ({
        payload: { target: await createUploadTarget(services, input, ownerFor(caller, input)) },
      })),
  }),
);

const CompleteUploadInput = builder.inputType('CompleteUploadInput', {
  fields: (t) => ({ target: t.id({ required: true, description: 'The `id` of the target.' }) }),
});

builder.mutationField('completeUpload', (t) =>
  t.field({
    type: imagePayload('CompleteUploadPayload'),
    description:
      'Proves what arrived (size, hash, type, wholeness) and keeps it as `uploadImage` does. Completing again answers the same image. What is refused is removed, and its target closed.',
    args: { input: t.arg({ type: CompleteUploadInput, required: true }) },
    resolve: (_root, { input }, { services, caller }) =>
      answer<ImagePayload>({ image: null }, async () => ({
        payload: { image: await completeUpload(services, String(input.target), visibleTo(caller)) },
      })),
  }),
);
