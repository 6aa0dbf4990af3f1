import { ownerFor, visibleTo } from '../../auth/authorization.ts';
import { atPath } from '../../errors.ts';
import { completeUpload } from '../../image/upload/complete-upload.ts';
import { createUploadTarget, type OpenedTarget } from '../../image/upload/upload-target.ts';
import { builder } from '../builder/builder.ts';
import { pictureFields } from '../image/image-input.ts';
import { answer, type ImagePayload, imagePayload, type Payload, USER_ERRORS } from './payload.ts';

const UploadHeader = builder.objectRef<{ name: string; value: string }>('UploadHeader').implement({
  description: 'A header of the request that sends the bytes.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is called, such as `Content-Type`.' }),
    value: t.exposeString('value', { description: 'What it says, to be sent as it is.' }),
  }),
});

const UploadTarget = builder.objectRef<OpenedTarget>('UploadTarget').implement({
  description:
    'Where the bytes of one image are to be sent: a request of `method` to `url` with `headers`, whose body is exactly the bytes that were announced. It needs no token.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'What `completeUpload` takes.' }),
    url: t.exposeString('url', {
      description: 'Whoever has it may send; keep it from others, and from logs.',
    }),
    method: t.string({ description: 'Of the HTTP request: `PUT`.', resolve: () => 'PUT' }),
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
  description: 'The file that will be sent, and what is said of it.',
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
    description: 'Where to send the bytes, or why nowhere.',
    fields: (t) => ({
      target: t.expose('target', {
        type: UploadTarget,
        nullable: true,
        description: 'Where to send the bytes; null where `userErrors` says why.',
      }),
      userErrors: t.expose('userErrors', USER_ERRORS),
    }),
  });

builder.mutationField('createUploadTarget', (t) =>
  t.field({
    type: CreateUploadTargetPayload,
    description:
      'Gives an address to send the bytes of one image to, past GraphQL: at S3 where it is a store, else at this server. All that is announced is checked before, and proven by `completeUpload`.',
    args: {
      input: t.arg({
        type: CreateUploadTargetInput,
        required: true,
        description: 'What will be sent, and what is said of it.',
      }),
    },
    resolve: (_root, { input }, { services, caller }) =>
      answer<UploadTargetPayload>({ target: null }, async () => ({
        payload: { target: await createUploadTarget(services, input, ownerFor(caller, input)) },
      })),
  }),
);

const CompleteUploadInput = builder.inputType('CompleteUploadInput', {
  description: 'The target whose bytes were sent.',
  fields: (t) => ({ target: t.id({ required: true, description: 'The `id` of the target.' }) }),
});

builder.mutationField('completeUpload', (t) =>
  t.field({
    type: imagePayload('CompleteUploadPayload', 'The image that is kept of what arrived, or why none is.'),
    description:
      'Proves what arrived (size, hash, type, wholeness) and keeps it as `uploadImage` does. Completing again answers the same image. What is refused is removed, and its target closed.',
    args: {
      input: t.arg({
        type: CompleteUploadInput,
        required: true,
        description: 'Which target; CONFLICT while nothing has arrived for it.',
      }),
    },
    resolve: (_root, { input }, { services, caller }) =>
      answer<ImagePayload>({ image: null }, async () => {
        const completed = completeUpload(services, String(input.target), visibleTo(caller));
        return { payload: { image: await atPath(['input', 'target'], completed) } };
      }),
  }),
);
